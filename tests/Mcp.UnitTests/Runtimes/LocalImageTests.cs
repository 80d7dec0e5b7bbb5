using System.Formats.Tar;
using System.Text;
using Mcp.Model.Errors;
using Mcp.Model.Names;
using Mcp.Runtimes;
using Mcp.Runtimes.Images;

namespace Mcp.UnitTests.Runtimes;

/// <summary>Images that only podman has, from archives as podman makes them.</summary>
public sealed class LocalImageTests : IDisposable
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(20);
    private static readonly ImageReference s_image = ImageReference.Parse("localhost/x:1");
    private readonly string _directory = Directory.CreateTempSubdirectory("mcp-local").FullName;
    private string? _id = new('a', 64);
    private byte[] _archive = Archive("one");
    private int _exports;

    private string Images => Path.Combine(_directory, "images");

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public async Task It_is_unpacked_once_under_podmans_id_and_one_that_was_built_again_is_another()
    {
        var first = await HaveAsync();
        Assert.Equal((new string('a', 64), "one"), (first.Digest, await File.ReadAllTextAsync(Path.Combine(first.Root, "data"))));
        Assert.Equal(["/data"], first.Cmd);
        Assert.Equal(first.Digest, (await HaveAsync()).Digest);
        Assert.Equal(1, _exports);
        (_id, _archive) = (new string('b', 64), Archive("two"));
        var second = await HaveAsync();
        Assert.Equal((_id, "two"), (second.Digest, await File.ReadAllTextAsync(Path.Combine(second.Root, "data"))));
        // What an instance has kept is made anew of what it was.
        Assert.Equal(first.Digest, (await HaveAsync(new ImageWish(Kept: first.Digest))).Digest);
        NothingIsLeft(2);
    }

    [Fact]
    public async Task One_that_podman_does_not_have_is_an_error_that_says_so_unless_it_was_unpacked_before()
    {
        (_id, var id) = (null, _id);
        var e = await Assert.ThrowsAsync<McpException>(() => HaveAsync());
        Assert.Equal(ErrorCode.ImagePull, e.Code);
        Assert.Equal("cannot pull localhost/x:1: podman on this node has no such image", e.Message);
        _id = id;
        await HaveAsync();
        _id = null;
        Assert.Equal(id, (await HaveAsync()).Digest);
    }

    [Theory]
    [InlineData("a layer that is not what its digest says", "is not sha256:")]
    [InlineData("two images", "does not have exactly one image")]
    [InlineData("no layer", "has no blobs/sha256/")]
    [InlineData("no archive", "cannot be read")]
    [InlineData("half an archive", "")]
    public async Task An_archive_that_is_not_what_it_should_be_is_refused_and_leaves_nothing(string what, string why)
    {
        _archive = what switch
        {
            "no archive" => Encoding.UTF8.GetBytes(new string('x', 2000)),
            "half an archive" => _archive[..(_archive.Length / 2)],
            _ => Archive("one", what),
        };
        var e = await Assert.ThrowsAsync<McpException>(() => HaveAsync());
        Assert.Equal(ErrorCode.ImagePull, e.Code);
        Assert.Contains(why, e.Message, StringComparison.Ordinal);
        NothingIsLeft(0);
    }

    [Fact]
    public async Task One_that_is_larger_than_allowed_is_left_at_that()
    {
        var store = Store(new ImageLimits(5000, 10));
        var e = await Assert.ThrowsAsync<McpException>(() => store.HaveAsync(s_image, new ImageWish(), s_limit, null, default));
        Assert.Equal(ErrorCode.ImageTooLarge, e.Code);
        NothingIsLeft(0);
    }

    [Fact]
    public async Task A_podman_that_does_not_deliver_is_left_after_its_time()
    {
        var local = new LocalImages(
            (_, _) => Task.FromResult(_id),
            async (_, ct) =>
            {
                await Task.Delay(Timeout.Infinite, ct);
                return Stream.Null;
            },
            NoLookAsync);
        var store = new ImageStore(Images, new RegistryCredentials(Path.Combine(_directory, "none")), null, local);
        var e = await Assert.ThrowsAsync<McpException>(
            () => store.HaveAsync(s_image, new ImageWish(), TimeSpan.FromMilliseconds(50), null, default));
        Assert.Contains("podman did not deliver in time", e.Message, StringComparison.Ordinal);
        NothingIsLeft(0);
    }

    private static Task<ImageLook?> NoLookAsync(ImageReference image, ImageWish wish, CancellationToken ct) =>
        Task.FromResult<ImageLook?>(null);

    private Task<StoredImage> HaveAsync(ImageWish? wish = null) =>
        Store().HaveAsync(s_image, wish ?? new ImageWish(), s_limit, null, default);

    private ImageStore Store(ImageLimits? limits = null) => new(
        Images,
        new RegistryCredentials(Path.Combine(_directory, "none")),
        limits,
        new LocalImages((_, _) => Task.FromResult(_id), (_, _) =>
        {
            _exports++;
            return Task.FromResult<Stream>(new MemoryStream(_archive));
        }, NoLookAsync));

    private void NothingIsLeft(int images) => Assert.Equal(
        images, Directory.EnumerateDirectories(Images).Count(d => Path.GetFileName(d) != "refs"));

    private static byte[] Archive(string content, string wrong = "")
    {
        var layer = Tar(("data", Encoding.UTF8.GetBytes(content)));
        var config = Encoding.UTF8.GetBytes(
            $$$"""{"architecture":"{{{ImageStore.Architecture}}}","os":"linux","config":{"Cmd":["/data"]}}""");
        var manifest = Encoding.UTF8.GetBytes($$$"""
            {"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",
            "config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"{{{Digest.Of(config)}}}","size":{{{config.Length}}}},
            "layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"{{{Digest.Of(layer)}}}","size":{{{layer.Length}}}}]}
            """);
        var one = $$"""
            {"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"{{Digest.Of(manifest)}}","size":{{manifest.Length}}}
            """;
        var index = Encoding.UTF8.GetBytes(
            $$"""{"schemaVersion":2,"manifests":[{{one}}{{(wrong == "two images" ? $",{one}" : "")}}]}""");
        var kept = (byte[])layer.Clone();
        if (wrong.StartsWith("a layer", StringComparison.Ordinal))
            kept[600] ^= 1;
        List<(string, byte[])> files =
        [
            ("oci-layout", Encoding.UTF8.GetBytes("""{"imageLayoutVersion":"1.0.0"}""")), ("index.json", index),
            ($"blobs/sha256/{Digest.Of(manifest).Hex}", manifest), ($"blobs/sha256/{Digest.Of(config).Hex}", config),
        ];
        if (wrong != "no layer")
            files.Add(($"blobs/sha256/{Digest.Of(layer).Hex}", kept));
        return Tar([.. files]);
    }

    private static byte[] Tar(params (string Name, byte[] Content)[] files)
    {
        using var bytes = new MemoryStream();
        using (var tar = new TarWriter(bytes, leaveOpen: true))
        {
            foreach (var (name, content) in files)
                tar.WriteEntry(new UstarTarEntry(TarEntryType.RegularFile, name) { DataStream = new MemoryStream(content) });
        }

        return bytes.ToArray();
    }
}
