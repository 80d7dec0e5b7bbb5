using Mcp.Machine;
using Mcp.Model.Images;
using Mcp.Model.Names;
using Mcp.Runtimes.Images;
using Mcp.Runtimes.Qemu;
using Mcp.TestKit.Contracts;

namespace Mcp.UnitTests.Runtimes;

/// <summary>Images unpacked for VMs, and disks made of them.</summary>
public sealed class VmImagesTests : ImageStockContract, IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("mcp-vmimages").FullName;
    private readonly ScriptedRegistry _registry = new();
    private readonly VmImages _stock;

    public VmImagesTests() => _stock = new VmImages(new QemuOptions(_directory, []));

    protected override IImageStock Stock => _stock;

    protected override ImageReference Reference => ImageReference.Parse($"127.0.0.1:{_registry.Port}/team/app:v1");

    private string Images => Path.Combine(_directory, "images");

    protected override async Task<string> BringAsync()
    {
        _registry.Publish();
        return (await Store().PullAsync(Reference, null, default)).Digest;
    }

    public void Dispose()
    {
        _registry.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    [Fact]
    public async Task Nothing_is_removed_while_something_is_made_of_an_image()
    {
        var image = (await FindAsync(await BringAsync()))!;
        using (await Store().ClaimAsync(default))
        {
            Assert.False(await _stock.RemoveAsync(image, [], default));
            Assert.NotNull(Store().Find(Reference));
        }

        Assert.True(await _stock.RemoveAsync(image, [], default));
        Assert.Null(Store().Find(Reference));
    }

    [Fact]
    public async Task What_a_killed_removal_has_left_counts_for_nothing_and_goes()
    {
        var digest = await BringAsync();
        var gone = Path.Combine(Images, $"gone-{Guid.NewGuid():N}");
        Directory.Move(Path.Combine(Images, digest), gone);
        File.Delete(Path.Combine(gone, "config.json"));
        Assert.Null(Store().Find(Reference));
        Assert.Empty(await _stock.ListAsync(default));
        await _stock.SweepAsync(default);
        Assert.False(Directory.Exists(gone));
        Assert.Empty(Directory.EnumerateFiles(Path.Combine(Images, "refs")));
    }

    [Fact]
    public async Task A_disk_stays_for_as_long_as_a_VM_has_it_and_the_image_as_long_as_a_VM_is_made_of_it()
    {
        var digest = await BringAsync();
        var made = Directory.CreateDirectory(Path.Combine(Images, digest, "nanos-0123456789abcdef")).FullName;
        await File.WriteAllBytesAsync(Path.Combine(made, "disk.img"), new byte[100_000]);
        var spare = Directory.CreateDirectory(Path.Combine(Images, digest, "nanos-fedcba9876543210")).FullName;
        await File.WriteAllBytesAsync(Path.Combine(spare, "disk.img"), new byte[100_000]);
        var vm = new VmDirectory(Path.Combine(_directory, "vms", "unikernel", "blog.web.1"));
        vm.Create();
        Posix.Link(Path.Combine(made, "disk.img"), Path.Combine(vm.Machine, "disk.img"));
        await File.WriteAllTextAsync(vm["vm.json"], Record(digest));

        var all = (await _stock.ListAsync(default)).ToDictionary(i => i.Id);
        Assert.Equal(["blog.web.1"], all[digest].Users);
        Assert.Equal((ImageKind.Disk, true), (all[$"{digest}/nanos-0123456789abcdef"].Kind, all[digest].Bytes > 0));
        Assert.Equal(["blog.web.1"], all[$"{digest}/nanos-0123456789abcdef"].Users);
        Assert.Empty(all[$"{digest}/nanos-fedcba9876543210"].Users);
        Assert.InRange(all[$"{digest}/nanos-fedcba9876543210"].Bytes, 100_000, 200_000);
        Assert.False(await _stock.RemoveAsync(all[digest], [], default));
        Assert.False(await _stock.RemoveAsync(all[$"{digest}/nanos-0123456789abcdef"], [], default));
        Assert.True(await _stock.RemoveAsync(all[$"{digest}/nanos-fedcba9876543210"], [], default));
        Assert.False(Directory.Exists(spare));

        vm.Remove();
        Assert.True(await _stock.RemoveAsync(all[digest], [], default));
        Assert.Empty(await _stock.ListAsync(default));
    }

    private ImageStore Store() => new(Images, new RegistryCredentials(Path.Combine(_directory, "no-such-file")));

    private static string Record(string digest) => $$"""
        {
          "name": "blog.web.1", "image": "example.com/hello:v1", "digest": "{{digest}}", "definition": "", "specHash": "", "ports": [],
          "program": [], "beside": [], "readOnly": {}, "exitFrom": "Status", "own": [],
          "limits": { "memoryBytes": 1, "cpuPercent": 1 }, "consoleBytes": 1, "consoleFiles": 1
        }
        """;
}
