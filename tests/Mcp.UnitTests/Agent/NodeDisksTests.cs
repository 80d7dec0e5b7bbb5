using System.Diagnostics;
using Mcp.Agent.Disks;
using Mcp.Model.Events;
using Mcp.TestKit.Fakes;
using Microsoft.Extensions.Time.Testing;

namespace Mcp.UnitTests.Agent;

/// <summary>On a small file system of its own.</summary>
public sealed class NodeDisksTests : IDisposable
{
    private const int Mib = 1 << 20;
    private readonly string _directory = Directory.CreateTempSubdirectory("mcp-disks").FullName;
    private readonly string _small;
    private readonly FakeRuntime _runtime = new(TimeProvider.System) { Images = { "example.com/hello:v1" } };

    public NodeDisksTests()
    {
        _small = Directory.CreateDirectory(Path.Combine(_directory, "small")).FullName;
        Call("mount", "-t", "tmpfs", "-o", "size=20m", "tmpfs", _small);
    }

    public void Dispose()
    {
        Call("umount", "-l", _small);
        _runtime.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    [Fact]
    public async Task Volumes_on_a_file_system_that_is_nearly_full_are_told_once_and_when_it_has_room_again()
    {
        foreach (var name in (string[])["one", "two"])
            Directory.CreateDirectory(Path.Combine(_small, name));
        using var world = new World(_directory, _runtime);
        await world.DeployAsync(World.Service("blog", "v1", $"volumes = [\"{_small}/one:/data\", \"{_small}/two:/more\", \"own:/own\"]"));
        await world.Disks.LookAsync(default);
        var small = world.Disks.All.Single(d => d.Path == _small);
        Assert.Equal([$"{_small}/one", $"{_small}/two"], small.Volumes);
        Assert.Empty(small.Holds);
        Assert.False(small.IsNearlyFull);
        Assert.Contains("blog/own", world.Disks.All.Single(d => d.Holds.Contains("the agent's state")).Volumes);

        await File.WriteAllBytesAsync(Path.Combine(_small, "one", "much"), new byte[19 * Mib]);
        await world.Disks.LookAsync(default);
        await world.Disks.LookAsync(default);
        Assert.True(world.Disks.All.Single(d => d.Path == _small).IsNearlyFull);
        var told = Assert.Single(Events(world));
        Assert.Equal(EventKind.VolumeNearlyFull, told.Kind);
        Assert.Equal($"{_small}: 95 % is used; on it: {_small}/one, {_small}/two", told.Detail);

        // Not before some more is free; and another agent on the same registry knows what was told.
        await File.WriteAllBytesAsync(Path.Combine(_small, "one", "much"), new byte[(int)(17.5 * Mib)]);
        world.Dispose();
        using var again = new World(_directory, _runtime);
        await again.Disks.LookAsync(default);
        Assert.Single(Events(again));
        await File.WriteAllBytesAsync(Path.Combine(_small, "one", "much"), new byte[10 * Mib]);
        await again.Disks.LookAsync(default);
        Assert.Equal([EventKind.VolumeNearlyFull, EventKind.VolumeRoomy], Events(again).Select(e => e.Kind));
    }

    [Fact]
    public async Task Images_that_nobody_needs_go_while_their_disk_is_short_and_no_more_than_that()
    {
        var stock = new FakeStock { Directory = _small };
        var time = new FakeTimeProvider(TimeProvider.System.GetUtcNow());
        for (var i = 1; i <= 7; i++)
        {
            var file = Path.Combine(_small, $"id{i}");
            _runtime.Images.Add($"example.com/hello:v{i}");
            _runtime.Pushed[$"example.com/hello:v{i}"] = $"id{i}";
            await File.WriteAllBytesAsync(file, new byte[2 * Mib]);
        }

        _runtime.Pulled = (reference, id) => stock.Add(id, 2 * Mib, reference);
        using var world = new World(_directory, _runtime, time: time, stock: stock);
        for (var i = 1; i <= 7; i++)
        {
            await world.DeployAsync(World.Service("blog", $"v{i}"));
            time.Advance(TimeSpan.FromMinutes(1));
        }

        stock.Removed = id => File.Delete(Path.Combine(_small, id));
        await world.Images.RoundAsync(default);
        Assert.Equal(7, (await stock.IdsAsync(default)).Count);
        await File.WriteAllBytesAsync(Path.Combine(_small, "other"), new byte[5 * Mib]);
        await world.Images.RoundAsync(default);
        // 1 MiB of 20 was free: one image makes it 3.
        Assert.Equal(["id2", "id3", "id4", "id5", "id6", "id7"], await stock.IdsAsync(default));
        var told = Assert.Single(world.Registry.Events.Of([EventKind.ImagesRemoved]));
        Assert.Equal("1 image, up to 2 MiB (the disk is short): example.com/hello:v1", told.Detail);
        await world.Disks.LookAsync(default);
        Assert.False(world.Disks.All.Single(d => d.Path == _small).IsShort);
    }

    [Fact]
    public async Task A_path_that_is_not_there_is_on_the_file_system_above_it()
    {
        var gauge = new DiskGauge();
        var there = await gauge.OfAsync(_small, default);
        var missing = await gauge.OfAsync(Path.Combine(_small, "not", "there"), default);
        Assert.Equal((_small, there), (there!.Mount, missing));
        Assert.Equal(20L * Mib, there.Space.Bytes);
    }

    private static List<Mcp.Daemon.Events.KeptEvent> Events(World world) =>
        world.Registry.Events.Of([EventKind.VolumeNearlyFull, EventKind.VolumeRoomy]);

    private static void Call(string program, params string[] arguments)
    {
        using var process = Process.Start(program, arguments);
        process.WaitForExit();
    }
}
