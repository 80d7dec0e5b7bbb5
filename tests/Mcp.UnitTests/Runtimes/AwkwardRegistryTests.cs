using System.Net;
using System.Text;
using Mcp.Model.Errors;
using Mcp.Model.Names;
using Mcp.Runtimes;
using Mcp.Runtimes.Images;

namespace Mcp.UnitTests.Runtimes;

/// <summary>A registry that means well, and is restarted, or has what is old or new.</summary>
public sealed class AwkwardRegistryTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("mcp-awkward").FullName;
    private readonly ScriptedRegistry _registry = new();

    private ImageReference Image => ImageReference.Parse($"127.0.0.1:{_registry.Port}/team/app:v1");

    private string Images => Path.Combine(_directory, "images");

    public void Dispose()
    {
        _registry.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    [Fact]
    public async Task A_tag_that_is_pushed_again_is_seen_and_taken_only_where_that_is_asked_for()
    {
        _registry.Publish();
        var limit = TimeSpan.FromMinutes(1);
        var first = await Store().HaveAsync(Image, new ImageWish(), limit, null, default);
        var digests = new RegistryImages(null);
        Assert.Contains($"sha256:{first.Digest}", (await digests.DigestsAsync(Image, default))!);
        // The same image, written otherwise.
        _registry.Manifest = [.. _registry.Manifest, (byte)' '];
        Assert.DoesNotContain($"sha256:{first.Digest}", (await digests.DigestsAsync(Image, default))!);
        Assert.Equal(first.Digest, (await Store().HaveAsync(Image, new ImageWish(), limit, null, default)).Digest);
        var second = await Store().HaveAsync(Image, new ImageWish(Ask: true), limit, null, default);
        Assert.NotEqual(first.Digest, second.Digest);
        // The name means another one by now.
        Assert.Equal(second.Digest, (await Store().HaveAsync(Image, new ImageWish(), limit, null, default)).Digest);
        Assert.Equal(first.Digest, (await Store().HaveAsync(Image, new ImageWish(Kept: first.Digest), limit, null, default)).Digest);
    }

    [Fact]
    public async Task A_look_tells_whether_there_is_anything_to_pull()
    {
        _registry.Publish();
        var registries = new RegistryImages(null);
        Task<ImageLook?> LookAsync(ImageWish wish) => Store().LookAsync(Image, wish, registries, default);
        Assert.Equal("", (await LookAsync(new ImageWish(Ask: true)))!.Here);
        var here = await Store().HaveAsync(Image, new ImageWish(), TimeSpan.FromMinutes(1), null, default);
        Assert.Equal(here.Digest, (await LookAsync(new ImageWish()))!.Here);
        _registry.Requests.Clear();
        Assert.Equal(here.Digest, (await LookAsync(new ImageWish(Ask: true)))!.Here);
        Assert.Single(_registry.Requests);
        // The same image, written otherwise.
        _registry.Manifest = [.. _registry.Manifest, (byte)' '];
        Assert.Equal("", (await LookAsync(new ImageWish(Ask: true)))!.Here);
        _registry.Instead = context =>
        {
            ScriptedRegistry.Send(context.Response, 403, []);
            return true;
        };
        var mute = await LookAsync(new ImageWish(Ask: true));
        Assert.Equal("", mute!.Here);
        Assert.Empty(mute.Volumes);
    }

    [Fact]
    public async Task A_registry_that_is_restarted_in_the_middle_of_a_layer_is_waited_for()
    {
        _registry.Publish();
        _registry.BreakLayerAfter = 50_000;
        var asked = 0;
        _registry.Instead = context =>
        {
            if (!IsLayer(context))
                return false;
            if (++asked == 2)
            {
                // Nobody listens there.
                context.Response.RedirectLocation = "http://127.0.0.1:1/";
                ScriptedRegistry.Send(context.Response, 307, []);
            }
            else if (asked == 3)
            {
                ScriptedRegistry.Send(context.Response, 503, []);
            }

            return asked is 2 or 3;
        };
        var image = await Store().PullAsync(Image, null, default);
        Assert.Equal(ScriptedRegistry.Content, await File.ReadAllBytesAsync(Path.Combine(image.Root, "data")));
        Assert.Equal(["", "bytes=50000-"], _registry.Ranges);
    }

    [Fact]
    public async Task A_registry_that_stays_away_in_the_middle_of_a_layer_is_an_error_after_four_tries()
    {
        _registry.Publish();
        var asked = 0;
        _registry.Instead = context =>
        {
            if (!IsLayer(context))
                return false;
            asked++;
            ScriptedRegistry.Send(context.Response, 503, []);
            return true;
        };
        var e = await Assert.ThrowsAsync<McpException>(() => Store().PullAsync(Image, null, default));
        Assert.EndsWith($"127.0.0.1:{_registry.Port} answered 503", e.Message, StringComparison.Ordinal);
        Assert.Equal(4, asked);
        Assert.All(Directory.EnumerateFileSystemEntries(Images), left => Assert.True(Path.GetFileName(left) is "lock" or "refs", left));
    }

    [Fact]
    public async Task What_is_here_serves_where_the_new_one_is_too_large()
    {
        _registry.Publish();
        var floating = ImageReference.Parse($"127.0.0.1:{_registry.Port}/team/app:latest");
        _registry.Instead = context =>
        {
            var isManifest = context.Request.Url!.AbsolutePath.EndsWith("/manifests/latest", StringComparison.Ordinal);
            if (isManifest)
                ScriptedRegistry.Send(context.Response, 200, _registry.Manifest);
            return isManifest;
        };
        var here = await Store().PullAsync(floating, null, default);
        _registry.Manifest = Encoding.UTF8.GetBytes(_registry.ManifestOf(_registry.Layer, long.MaxValue));
        var told = new List<string>();
        Assert.Equal(
            ErrorCode.ImageTooLarge,
            (await Assert.ThrowsAsync<McpException>(() => Store().PullAsync(floating, null, default))).Code);
        Assert.Equal(here.Digest, (await Store().RenewAsync(floating, TimeSpan.FromMinutes(1), new Told(told), default)).Digest);
        Assert.Contains("the copy on this node serves", Assert.Single(told), StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_index_with_digests_of_another_kind_for_other_platforms_is_read()
    {
        _registry.Publish();
        var (ours, other) = (_registry.Keep(_registry.Manifest), $"sha512:{new string('a', 128)}");
        var (good, bad) = (Index(ours, other), Index(other, ours));
        _registry.Manifest = good;
        Assert.NotNull(await Store().PullAsync(Image, null, default));
        _registry.Manifest = bad;
        var second = ImageReference.Parse($"127.0.0.1:{_registry.Port}/team/app:v2");
        Assert.Contains(
            "by a digest that is not sha256",
            (await Assert.ThrowsAsync<McpException>(() => Store().PullAsync(second, null, default))).Message,
            StringComparison.Ordinal);

        byte[] Index(string here, string elsewhere) => Encoding.UTF8.GetBytes(
            $$"""{"manifests":[{{Entry(elsewhere, "elsewhere")}},{{Entry(here, ImageStore.Architecture)}}]}""");

        string Entry(string digest, string architecture) =>
            $$"""{"digest":"{{digest}}","size":{{_registry.Manifest.Length}},"platform":{"os":"linux","architecture":"{{architecture}}" } }""";
    }

    [Fact]
    public async Task What_docker_1_10_pushed_is_read()
    {
        _registry.Publish();
        var manifest = Encoding.UTF8.GetString(_registry.Manifest);
        _registry.Manifest = Encoding.UTF8.GetBytes(manifest.Replace(
            "\"config\":{",
            "\"config\":{\"mediaType\":\"application/octet-stream\",",
            StringComparison.Ordinal));
        Assert.NotNull(await Store().PullAsync(Image, null, default));
    }

    private bool IsLayer(HttpListenerContext context) =>
        context.Request.Url!.AbsolutePath.EndsWith(_registry.Layer, StringComparison.Ordinal);

    private ImageStore Store() => new(Images, new RegistryCredentials(Path.Combine(_directory, "no-such-file")));

    private sealed class Told(List<string> told) : IProgress<string>
    {
        public void Report(string value) => told.Add(value);
    }
}
