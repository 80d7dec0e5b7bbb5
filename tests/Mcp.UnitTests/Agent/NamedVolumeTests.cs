using System.Diagnostics;
using Mcp.Daemon.Operations;
using Mcp.Model.Errors;
using Mcp.Model.Names;
using Mcp.TestKit.Fakes;
using Mcp.TestKit.Faults;

namespace Mcp.UnitTests.Agent;

/// <summary>A service's own volumes: filled once, kept, listed, removed when nobody uses them.</summary>
public sealed class NamedVolumeTests : IDisposable
{
    private const string Extra = "volumes = [\"data:/var/data\"]";
    private static readonly Label s_blog = Label.Parse("blog");
    private readonly string _directory = Directory.CreateTempSubdirectory("mcp-volumes").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public async Task What_the_image_has_is_there_at_first_and_what_was_written_stays()
    {
        using var runtime = Runtime();
        using var world = new World(_directory, runtime);
        await world.DeployAsync(World.Service("blog", "v1", Extra));
        Assert.Equal("first", Read("one"));
        await File.WriteAllTextAsync(In("one"), "mine");
        File.Delete(In("two"));
        await world.DeployAsync(World.Service("blog", "v2", Extra));
        await world.Undeployer.UndeployAsync(s_blog, default);
        var told = new List<string>();
        var again = World.Service("blog", "v1", Extra);
        await world.Deployer.DeployAsync(again, new(), (step, _, detail) => told.Add($"{step}: {detail}"), default);
        Assert.Contains("plan: create web; web takes over what is kept in its volume data", told);
        Assert.Equal("mine", Read("one"));
        Assert.False(File.Exists(In("two")));
    }

    [Fact]
    public Task A_first_deploy_killed_at_any_side_effect_leaves_a_volume_that_is_filled_once() =>
        FaultMatrix.RunAsync(Fault.Kill, atLeast: 6, async point =>
        {
            using var runtime = Runtime();
            var directory = Directory.CreateDirectory(Path.Combine(_directory, $"{point.Number}")).FullName;
            using var before = new World(directory, runtime);
            runtime.Hook = point.Hook;
            if (!await point.BreaksAsync(() => before.DeployAsync(World.Service("blog", "v1", Extra))))
                return;
            runtime.Hook = _ => Task.CompletedTask;
            using var after = new World(directory, runtime);
            await after.RecoverAsync();
            await after.DeployAsync(World.Service("blog", "v1", Extra));
            Filled(directory);
        });

    [Fact]
    public Task A_first_deploy_that_fails_at_any_side_effect_leaves_a_volume_that_is_filled_once() =>
        FaultMatrix.RunAsync(Fault.Fail, atLeast: 6, async point =>
        {
            using var runtime = Runtime();
            var directory = Directory.CreateDirectory(Path.Combine(_directory, $"f{point.Number}")).FullName;
            using var world = new World(directory, runtime);
            runtime.Hook = point.Hook;
            if (!await point.BreaksAsync(() => world.DeployAsync(World.Service("blog", "v1", Extra))))
                return;
            runtime.Hook = _ => Task.CompletedTask;
            await world.RecoverAsync();
            await world.DeployAsync(World.Service("blog", "v1", Extra));
            Filled(directory);
        });

    // As a kill leaves it: whole, and one file of it already in its place.
    [Fact]
    public async Task A_filling_that_was_cut_off_goes_on_and_the_directory_stays_the_one_that_it_was()
    {
        using var runtime = Runtime();
        using var world = new World(_directory, runtime);
        Directory.CreateDirectory(Path.Combine(Volumes, ".data.full"));
        Directory.CreateDirectory(Path.Combine(Volumes, "data"));
        await File.WriteAllTextAsync(In("one"), "first");
        await File.WriteAllTextAsync(Path.Combine(Volumes, ".data.full", "two"), "second");
        const UnixFileMode own = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
        File.SetUnixFileMode(Path.Combine(Volumes, ".data.full"), own);
        var open = File.OpenHandle(In("one"));
        await world.DeployAsync(World.Service("blog", "v1", Extra));
        open.Dispose();
        Filled(_directory);
        Assert.Equal(own, File.GetUnixFileMode(Path.Combine(Volumes, "data")));
    }

    [Fact]
    public async Task An_image_that_has_nothing_there_gives_an_empty_volume_that_everybody_may_enter()
    {
        using var runtime = Runtime();
        using var world = new World(_directory, runtime);
        await world.DeployAsync(World.Service("blog", "v1", "volumes = [\"other:/nothing/here\"]"));
        var made = Path.Combine(Volumes, "other");
        Assert.Empty(Directory.EnumerateFileSystemEntries(made));
        Assert.True(File.GetUnixFileMode(made).HasFlag(UnixFileMode.OtherRead | UnixFileMode.OtherExecute));
    }

    [Fact]
    public async Task A_volume_goes_only_when_nobody_uses_it()
    {
        using var runtime = Runtime();
        using var world = new World(_directory, runtime);
        await world.DeployAsync(World.Service("blog", "v1", Extra));
        var there = Assert.Single(await world.Volumes.ListAsync(null, default));
        Assert.Equal(("blog", "data", "blog.web"), (there.Service.Text, there.Name, string.Join(' ', there.UsedBy)));
        Assert.True(there.Bytes > 0);
        await RefusedAsync(world, "data", ErrorCode.VolumeInUse);
        // One that is stopped finds its data again.
        await world.Control.StopAsync(s_blog, null, default);
        await RefusedAsync(world, "data", ErrorCode.VolumeInUse);
        await RefusedAsync(world, "other", ErrorCode.VolumeUnknown);
        await RefusedAsync(world, "../blog/data", ErrorCode.VolumeUnknown);
        await world.Undeployer.UndeployAsync(s_blog, default);
        Assert.Empty(Assert.Single(await world.Volumes.ListAsync(s_blog, default)).UsedBy);
        Assert.Equal(["removed the volume blog/data with its data"], await world.Volumes.RemoveAsync(s_blog, "data", default));
        Assert.Empty(await world.Volumes.ListAsync(null, default));
        Assert.False(Directory.Exists(Volumes));
    }

    [Fact]
    public async Task A_volume_whose_directory_another_service_writes_to_stays()
    {
        using var runtime = Runtime();
        using var world = new World(_directory, runtime);
        await world.DeployAsync(World.Service("blog", "v1", Extra));
        await world.Undeployer.UndeployAsync(s_blog, default);
        await world.DeployAsync(World.Service("backup", "v1", $"volumes = [\"{Path.Combine(Volumes, "data")}:/data\"]"));
        await RefusedAsync(world, "data", ErrorCode.VolumeInUse);
        var e = await Assert.ThrowsAsync<McpException>(() => world.DeployAsync(World.Service("blog", "v1", Extra)));
        Assert.Equal(ErrorCode.VolumeHeld, e.Code);
    }

    // Whoever has the directory, too, may put a link there while it is filled.
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task No_file_of_the_host_is_touched_through_a_link_in_a_volume_that_is_filled(bool cutOff)
    {
        using var runtime = Runtime();
        using var world = new World(_directory, runtime);
        var host = Path.Combine(_directory, "host");
        await File.WriteAllTextAsync(host, "the host's");
        const UnixFileMode own = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        File.SetUnixFileMode(host, own);
        Directory.CreateDirectory(Path.Combine(Volumes, "data"));
        if (cutOff)
        {
            var whole = Path.Combine(Directory.CreateDirectory(Path.Combine(Volumes, ".data.full")).FullName, "one");
            await File.WriteAllTextAsync(whole, "first");
            File.SetUnixFileMode(whole, own | UnixFileMode.OtherRead | UnixFileMode.OtherWrite);
            File.CreateSymbolicLink(In("one"), host);
        }

        runtime.Hook = what =>
        {
            if (what == "filled")
                File.CreateSymbolicLink(In("one"), host);
            return Task.CompletedTask;
        };
        await world.DeployAsync(World.Service("blog", "v1", Extra));
        Assert.Equal(("the host's", own), (await File.ReadAllTextAsync(host), File.GetUnixFileMode(host)));
        Assert.Equal(host, new FileInfo(In("one")).LinkTarget);
        // What somebody else has begun to use is not filled any more.
        Assert.False(File.Exists(In("two")));
        Assert.Equal(["data"], Directory.EnumerateFileSystemEntries(Volumes).Select(Path.GetFileName));
    }

    [Fact]
    public async Task An_empty_volume_that_somebody_else_writes_to_is_not_filled()
    {
        using var runtime = Runtime();
        using var world = new World(_directory, runtime);
        const string shared = "volumes = [\"data:/var/data:shared\"]";
        await world.DeployAsync(World.Service("blog", "v2", shared));
        await world.DeployAsync(World.Service("other", "v2", $"volumes = [\"{Path.Combine(Volumes, "data")}:/data:shared\"]"));
        await world.Undeployer.UndeployAsync(s_blog, default);
        await world.DeployAsync(World.Service("blog", "v1", shared));
        Assert.Empty(Directory.EnumerateFileSystemEntries(Path.Combine(Volumes, "data")));
        await world.Undeployer.UndeployAsync(s_blog, default);
        await world.Undeployer.UndeployAsync(Label.Parse("other"), default);
        await world.DeployAsync(World.Service("blog", "v1", shared));
        Filled(_directory);
    }

    [Fact]
    public async Task A_first_deploy_whose_volume_cannot_be_filled_leaves_nothing()
    {
        using var runtime = Runtime();
        using var world = new World(_directory, runtime);
        runtime.Hook = what => what == "filled" ? throw new McpException(ErrorCode.VolumeFill, "no room") : Task.CompletedTask;
        await Assert.ThrowsAsync<StepFailedException>(() => world.DeployAsync(World.Service("blog", "v1", Extra)));
        Assert.False(Directory.Exists(Volumes));
    }

    [Fact]
    public async Task A_volume_with_a_mount_below_is_not_removed_before_that_is_gone()
    {
        using var runtime = Runtime();
        using var world = new World(_directory, runtime);
        await world.DeployAsync(World.Service("blog", "v1", Extra));
        await world.Undeployer.UndeployAsync(s_blog, default);
        using (var precious = new Mounted(_directory, In("mnt")))
        {
            var e = await Assert.ThrowsAsync<McpException>(() => world.Volumes.RemoveAsync(s_blog, "data", default));
            Assert.Equal(ErrorCode.VolumeInUse, e.Code);
            Assert.Contains(In("mnt"), e.Message, StringComparison.Ordinal);
            Assert.Contains($"umount {In("mnt")}", e.Hint, StringComparison.Ordinal);
            Assert.True(File.Exists(precious.File));
            Assert.Equal("first", Read("one"));
        }

        await world.Volumes.RemoveAsync(s_blog, "data", default);
        Assert.False(Directory.Exists(Volumes));
    }

    [Theory]
    [InlineData("fill")]
    [InlineData("gone")]
    public async Task What_cannot_be_removed_keeps_neither_the_agent_nor_its_service_from_starting(string what)
    {
        var left = Path.Combine(Volumes, $".data.{what}");
        using var runtime = Runtime();
        using (var precious = new Mounted(_directory, Path.Combine(left, "mnt")))
        {
            using var world = new World(_directory, runtime);
            await world.DeployAsync(World.Service("blog", "v1", Extra));
            Assert.Equal("first", Read("one"));
            var e = await Assert.ThrowsAsync<McpException>(() => world.NamedVolumes.SweepAsync(default));
            Assert.Contains($"umount {Path.Combine(left, "mnt")}", e.Hint, StringComparison.Ordinal);
            Assert.True(File.Exists(precious.File));
        }

        using var next = new World(_directory, runtime);
        await next.NamedVolumes.SweepAsync(default);
        Assert.False(Directory.Exists(left));
        Assert.Equal("first", Read("one"));
    }

    [Fact]
    public async Task What_a_kill_left_of_a_removal_goes_at_the_next_start()
    {
        var gone = Directory.CreateDirectory(Path.Combine(Volumes, ".data.gone", "deep")).FullName;
        await File.WriteAllTextAsync(Path.Combine(gone, "file"), "x");
        var half = Directory.CreateDirectory(Path.Combine(Volumes, ".other.fill")).FullName;
        using var runtime = Runtime();
        using var world = new World(_directory, runtime);
        await world.NamedVolumes.SweepAsync(default);
        Assert.False(Directory.Exists(gone) || Directory.Exists(half));
        Assert.Empty(await world.Volumes.ListAsync(null, default));
    }

    private string Volumes => Path.Combine(_directory, "volumes", "blog");

    private string In(string file) => Path.Combine(Volumes, "data", file);

    private string Read(string file) => File.ReadAllText(In(file));

    private static void Filled(string state)
    {
        var volumes = Path.Combine(state, "volumes", "blog");
        Assert.Equal(["data"], Directory.EnumerateFileSystemEntries(volumes).Select(Path.GetFileName));
        var files = Directory.EnumerateFiles(Path.Combine(volumes, "data")).Order().Select(f => (Path.GetFileName(f), File.ReadAllText(f)));
        Assert.Equal([("one", "first"), ("two", "second")], files);
    }

    private static async Task RefusedAsync(World world, string name, ErrorCode code) => Assert.Equal(
        code,
        (await Assert.ThrowsAsync<McpException>(() => world.Volumes.RemoveAsync(s_blog, name, default))).Code);

    private static FakeRuntime Runtime()
    {
        var runtime = new FakeRuntime(TimeProvider.System);
        runtime.Images.UnionWith(["example.com/hello:v1", "example.com/hello:v2"]);
        runtime.Contents[("example.com/hello:v1", "/var/data")] = new() { ["one"] = "first", ["two"] = "second" };
        return runtime;
    }

    /// <summary>A directory with a file, shown in another place until this is disposed.</summary>
    private sealed class Mounted : IDisposable
    {
        private readonly string _at;

        public Mounted(string directory, string at)
        {
            _at = at;
            var precious = Directory.CreateDirectory(Path.Combine(directory, "precious")).FullName;
            File = Path.Combine(precious, "file");
            System.IO.File.WriteAllText(File, "x");
            Directory.CreateDirectory(at);
            Run("mount", "--bind", precious, at);
        }

        public string File { get; }

        public void Dispose() => Run("umount", _at);

        private static void Run(string program, params string[] arguments)
        {
            using var process = Process.Start(program, arguments);
            process.WaitForExit();
            Assert.Equal(0, process.ExitCode);
        }
    }
}
