using System.Formats.Tar;
using Mcp.Machine;
using Mcp.Model.Errors;
using Mcp.Model.Names;
using Mcp.Runtimes;
using Mcp.Runtimes.Images;
using Mcp.Runtimes.Qemu;

namespace Mcp.UnitTests.Runtimes;

/// <summary>Against a scripted registry, for what real ones do too seldom.</summary>
public sealed class ImageStoreTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("mcp-images").FullName;
    private readonly ScriptedRegistry _registry = new();

    private ImageReference Image => ImageReference.Parse($"127.0.0.1:{_registry.Port}/team/app:v1");

    private string Images => Path.Combine(_directory, "images");

    public void Dispose()
    {
        _registry.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    [Fact]
    public async Task A_connection_that_breaks_in_the_middle_of_a_layer_is_gone_on_with()
    {
        _registry.Publish();
        _registry.BreakLayerAfter = 50_000;
        var image = await Store().PullAsync(Image, null, default);
        Assert.Equal(ScriptedRegistry.Content, await File.ReadAllBytesAsync(Path.Combine(image.Root, "data")));
        Assert.Equal(["", "bytes=50000-"], _registry.Ranges);
    }

    [Fact]
    public async Task What_a_pull_that_failed_has_of_a_layer_goes()
    {
        _registry.Publish();
        _registry.BreakLayerAfter = 50_000;
        _registry.Broken = int.MaxValue;
        var e = await Assert.ThrowsAsync<McpException>(() => Store().PullAsync(Image, null, default));
        Assert.Contains("a layer broke off after 50000 of", e.Message, StringComparison.Ordinal);
        NothingIsLeft();
        _registry.Broken = 0;
        Assert.NotNull(await Store().PullAsync(Image, null, default));
    }

    [Fact]
    public async Task What_a_pull_that_is_cancelled_has_of_a_layer_goes()
    {
        using var over = new CancellationTokenSource();
        _registry.Publish();
        _registry.Instead = context =>
        {
            if (!context.Request.Url!.AbsolutePath.EndsWith(_registry.Layer, StringComparison.Ordinal))
                return false;
            context.Response.ContentLength64 = 100_000;
            context.Response.OutputStream.Write(new byte[50_000]);
            context.Response.OutputStream.Flush();
            over.Cancel();
            return true;
        };
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Store().PullAsync(Image, null, over.Token));
        NothingIsLeft();
    }

    [Fact]
    public async Task What_a_killed_process_left_half_done_goes_with_the_next_pull_and_at_the_next_start()
    {
        _registry.Publish();
        var image = await Store().PullAsync(Image, null, default);
        string[] left =
        [
            Path.Combine(Images, "work-0123"),
            Path.Combine(Images, $".{image.Digest}"),
            Path.Combine(image.Directory, "nanos-1.half"),
        ];
        foreach (var half in left)
            await File.WriteAllTextAsync(Path.Combine(Directory.CreateDirectory(half).FullName, "layer"), "half");
        Store().Sweep();
        Assert.All(left, half => Assert.False(Directory.Exists(half)));
        Directory.CreateDirectory(left[0]);
        Directory.Delete(image.Root, recursive: true);
        await Store().PullAsync(Image, null, default);
        Assert.False(Directory.Exists(left[0]));
        Assert.True(File.Exists(Path.Combine(image.Root, "data")));
    }

    [Fact]
    public async Task What_another_process_has_under_way_is_left_alone()
    {
        var (work, claim) = await new StoreDirectory(Images).BeginAsync(default);
        using (claim)
        {
            Store().Sweep();
            _registry.Publish();
            await Store().PullAsync(Image, null, default);
            Assert.True(Directory.Exists(work));
        }

        Store().Sweep();
        Assert.False(Directory.Exists(work));
    }

    [Fact]
    public async Task Pulls_of_one_image_at_once_by_several_stores_end_with_that_image()
    {
        _registry.Publish();
        var all = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Store().PullAsync(Image, null, default)));
        Assert.Single(all.Select(i => i.Directory).Distinct());
        Assert.Equal(ScriptedRegistry.Content, await File.ReadAllBytesAsync(Path.Combine(all[0].Root, "data")));
        Assert.Equal(
            [all[0].Digest, "lock", "refs"],
            Directory.EnumerateFileSystemEntries(Images).Select(Path.GetFileName).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task A_link_in_the_stores_directory_is_not_followed()
    {
        var elsewhere = Directory.CreateDirectory(Path.Combine(_directory, "elsewhere")).FullName;
        await File.WriteAllTextAsync(Path.Combine(elsewhere, "victim"), "mine");
        _registry.Publish();
        var image = await Store().PullAsync(Image, null, default);
        Directory.Delete(Images, recursive: true);
        Directory.CreateDirectory(Images);
        foreach (var name in (string[])["refs", image.Digest, $".{image.Digest}", "work-1"])
            File.CreateSymbolicLink(Path.Combine(Images, name), elsewhere);
        Assert.Null(Store().Find(Image));
        Assert.True(File.Exists(Path.Combine((await Store().PullAsync(Image, null, default)).Root, "data")));
        var stock = new VmImages(new QemuOptions(_directory, []));
        foreach (var held in await stock.ListAsync(default))
            Assert.True(await stock.RemoveAsync(held, [], default));
        Assert.Equal(["victim"], Directory.EnumerateFileSystemEntries(elsewhere).Select(Path.GetFileName));
        Assert.Equal("mine", await File.ReadAllTextAsync(Path.Combine(elsewhere, "victim")));
    }

    [Fact]
    public async Task A_reference_that_somebody_else_wrote_leads_nowhere()
    {
        _registry.Publish();
        await Store().PullAsync(Image, null, default);
        var reference = Assert.Single(Directory.GetFiles(Path.Combine(Images, "refs")));
        await File.WriteAllTextAsync(reference, "../../../etc");
        Assert.Null(Store().Find(Image));
    }

    [Fact]
    public async Task A_layer_that_is_not_what_it_should_be_is_refused_and_forgotten()
    {
        _registry.Publish();
        _registry.Lies = true;
        var e = await Assert.ThrowsAsync<McpException>(() => Store().PullAsync(Image, null, default));
        Assert.Contains("what the registry delivered is not sha256:", e.Message, StringComparison.Ordinal);
        Assert.Null(Store().Find(Image));
        NothingIsLeft();
        _registry.Lies = false;
        Assert.NotNull(await Store().PullAsync(Image, null, default));
    }

    [Theory]
    [InlineData("Basic")]
    [InlineData("Bearer")]
    public async Task A_registry_that_wants_a_login_gets_the_one_that_podman_keeps(string scheme)
    {
        _registry.Publish();
        _registry.Scheme = scheme;
        var refused = await Assert.ThrowsAsync<McpException>(() => Store().PullAsync(Image, null, default));
        Assert.Contains("podman login", refused.Message, StringComparison.Ordinal);
        var auth = Path.Combine(_directory, "auth.json");
        await File.WriteAllTextAsync(auth, $$"""{"auths":{"127.0.0.1:{{_registry.Port}}":{"auth":"{{ScriptedRegistry.Login}}"} } }""");
        Assert.NotNull(await Store(auth).PullAsync(Image, null, default));
    }

    [Fact]
    public async Task Of_an_image_for_many_platforms_this_ones_is_taken_and_one_without_it_names_what_there_is()
    {
        _registry.Publish(("windows", ImageStore.Architecture), ("linux", "riscv64"), ("linux", ImageStore.Architecture));
        Assert.NotNull(await Store().PullAsync(Image, null, default));
        _registry.Publish(("linux", "riscv64"), ("linux", "s390x"));
        Assert.Equal(["riscv64", "s390x"], await new ImageArchitectures(null).OfAsync(Image, default));
        var e = await Assert.ThrowsAsync<McpException>(() => Store().PullAsync(
            ImageReference.Parse($"127.0.0.1:{_registry.Port}/team/app:v2"),
            null,
            default));
        Assert.Equal(ErrorCode.ImageArchitecture, e.Code);
        Assert.Contains("only for linux/riscv64, linux/s390x", e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("a layer of zeros in gzip", ScriptedRegistry.LayerType)]
    [InlineData("a layer of zeros in zstd", "application/vnd.oci.image.layer.v1.tar+zstd")]
    public async Task A_layer_that_unpacks_to_more_than_is_allowed_is_refused_and_nothing_is_left(string what, string type)
    {
        var tar = ScriptedRegistry.Tar(new PaxTarEntry(
            TarEntryType.RegularFile,
            what)
        { DataStream = new MemoryStream(new byte[8 * 1024 * 1024]) });
        using var zstd = new ZstdSharp.Compressor();
        _registry.Publish(type == ScriptedRegistry.LayerType ? ScriptedRegistry.Gzip(tar) : zstd.Wrap(tar).ToArray(), type);
        var limits = new ImageLimits(4 * 1024 * 1024, 10);
        var e = await Assert.ThrowsAsync<McpException>(() => Store(limits: limits).PullAsync(Image, null, default));
        Assert.Equal((ErrorCode.ImageTooLarge, $"cannot pull {Image}: it is larger than 4 MiB"), (e.Code, e.Message));
        Assert.Contains("image_max_mb", e.Hint, StringComparison.Ordinal);
        NothingIsLeft();
        Assert.NotNull(await Store().PullAsync(Image, null, default));
    }

    [Fact]
    public async Task The_last_of_a_disk_is_left_to_the_node()
    {
        Assert.SkipUnless(Posix.IsRoot, "needs root, for a disk of its own");
        Directory.CreateDirectory(Images);
        await MountAsync("mount", "-t", "tmpfs", "-o", "size=20m", "tmpfs", Images);
        try
        {
            // Fits with what is left of 20 MiB, and not with what is kept.
            foreach (var megabytes in (int[])[10, 18])
            {
                _registry.Publish(ScriptedRegistry.Gzip(ScriptedRegistry.Tar(new PaxTarEntry(
                    TarEntryType.RegularFile,
                    "zeros")
                { DataStream = new MemoryStream(new byte[megabytes * 1024 * 1024 * 7 / 6]) })));
                if (megabytes == 10)
                {
                    Assert.NotNull(await Store().PullAsync(Image, null, default));
                    Directory.Delete(
                        Assert.Single(Directory.GetDirectories(Images), d => !d.EndsWith("refs", StringComparison.Ordinal)),
                        recursive: true);
                    continue;
                }

                var least = long.MaxValue;
                using var watch = new Timer(_ => least = Math.Min(least, new DriveInfo(Images).AvailableFreeSpace), null, 0, 1);
                var e = await Assert.ThrowsAsync<McpException>(() => Store().PullAsync(Image, null, default));
                Assert.Equal(ErrorCode.DiskFull, e.Code);
                Assert.Contains("the last 1 MiB are kept for the node itself", e.Message, StringComparison.Ordinal);
                Assert.InRange(least, 1024 * 1024, long.MaxValue);
                NothingIsLeft();
            }
        }
        finally
        {
            await MountAsync("umount", Images);
        }
    }

    private static async Task MountAsync(string program, params string[] arguments)
    {
        var (code, said) = await Programs.RunAsync(Programs.Start(program, arguments), TimeSpan.FromSeconds(10), default);
        Assert.True(code == 0, said);
    }

    private void NothingIsLeft() =>
        Assert.All(Directory.EnumerateFileSystemEntries(Images), e => Assert.True(Path.GetFileName(e) is "lock" or "refs", e));

    private ImageStore Store(string? auth = null, ImageLimits? limits = null) =>
        new(Images, new RegistryCredentials(auth ?? Path.Combine(_directory, "no-such-file")), limits);
}
