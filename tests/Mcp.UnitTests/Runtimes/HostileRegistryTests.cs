using System.Net;
using System.Text;
using Mcp.Model.Errors;
using Mcp.Model.Names;
using Mcp.Runtimes.Images;

namespace Mcp.UnitTests.Runtimes;

/// <summary>A registry that does not mean well: whatever it says is checked, and nothing of it becomes a file's name or an
/// address.</summary>
public sealed class HostileRegistryTests : IDisposable
{
    private const string Digest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    private readonly string _directory = Directory.CreateTempSubdirectory("mcp-hostile").FullName;
    private readonly ScriptedRegistry _registry = new();
    private readonly string _victim;

    public HostileRegistryTests()
    {
        _registry.Publish();
        _victim = Path.Combine(_directory, "victim");
        File.WriteAllText(_victim, "mine");
    }

    private ImageReference Image => ImageReference.Parse($"127.0.0.1:{_registry.Port}/team/app:v1");

    public void Dispose()
    {
        _registry.Dispose();
        Assert.Equal("mine", File.ReadAllText(_victim));
        Assert.All(
            Directory.EnumerateFileSystemEntries(_directory),
            e => Assert.True(Path.GetFileName(e) is "victim" or "images" or "auth.json", e));
        var images = Path.Combine(_directory, "images");
        if (Directory.Exists(images))
            Assert.All(Directory.EnumerateFileSystemEntries(images), e => Assert.True(Path.GetFileName(e) is "lock" or "refs", e));
        Directory.Delete(_directory, recursive: true);
    }

    [Theory]
    [InlineData("{victim}")]
    [InlineData("../victim")]
    [InlineData("../../../victim")]
    [InlineData("sha256:../../../victim")]
    [InlineData("sha256:0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF")]
    [InlineData("sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\\n")]
    [InlineData("sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde")]
    [InlineData("sha512:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef")]
    [InlineData("")]
    public async Task What_is_no_digest_is_refused_wherever_it_stands(string written)
    {
        var bad = written.Replace("{victim}", _victim, StringComparison.Ordinal);
        foreach (var document in (string[])
        [
            _registry.ManifestOf(bad, 4),
            _registry.ManifestOf(bad, 1_000_000),
            $$"""{"config":{"digest":"{{bad}}","size":4},"layers":[]}""",
            $$"""{"manifests":[{"digest":"{{bad}}","size":4,"platform":{"os":"linux","architecture":"{{ImageStore.Architecture}}" } }]}""",
        ])
        {
            Assert.Contains(
                "not sha256: and 64 lower-case hexadecimal digits",
                (await RefusedAsync(document)).Message,
                StringComparison.Ordinal);
        }

        var config = Encoding.UTF8.GetBytes($$"""{"rootfs":{"diff_ids":["{{bad}}"] } }""");
        Assert.Contains(
            "a diff_id",
            (await RefusedAsync($$"""{"config":{"digest":"{{_registry.Keep(config)}}","size":{{config.Length}}},"layers":[]}""")).Message,
            StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/etc/passwd")]
    [InlineData("sha256:00")]
    [InlineData(Digest)]
    public async Task A_header_with_another_digest_is_refused(string said)
    {
        _registry.ContentDigest = said;
        Assert.Contains("Docker-Content-Digest", (await RefusedAsync()).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("-1", "the size of a layer is negative")]
    [InlineData("null", "the size of a layer is missing")]
    [InlineData("9223372036854775807", "it is larger than 20480 MiB")]
    [InlineData("21474836481", "it is larger than 20480 MiB")]
    [InlineData("9223372036854775808", "not the JSON that it should be, at '$.layers[0].size'")]
    [InlineData("1e300", "not the JSON that it should be, at '$.layers[0].size'")]
    [InlineData("1.5", "not the JSON that it should be, at '$.layers[0].size'")]
    [InlineData("\"1\"", "not the JSON that it should be, at '$.layers[0].size'")]
    public async Task A_size_that_cannot_be_is_refused(string size, string says) =>
        Assert.Contains(
            says,
            (await RefusedAsync(_registry.ManifestOf(Digest, 77)
                .Replace("\"size\":77", $"\"size\":{size}", StringComparison.Ordinal))).Message,
            StringComparison.Ordinal);

    [Theory]
    [InlineData("null", "the registry's manifest is null")]
    [InlineData("[]", "not the JSON that it should be")]
    [InlineData("{}", "not an image manifest")]
    [InlineData("{\"manifests\":null}", "not an image manifest")]
    [InlineData("{\"manifests\":[null]}", "an image of the index is null")]
    [InlineData("{\"manifests\":[{\"size\":1}]}", "the digest of an image of the index is missing")]
    [InlineData("{\"config\":null,\"layers\":[]}", "not an image manifest")]
    [InlineData("{\"config\":{},\"layers\":[]}", "the digest of the configuration is missing")]
    [InlineData("{\"config\":{\"digest\":\"DIGEST\",\"size\":4194305},\"layers\":[]}", "the configuration is 4194305 bytes large")]
    [InlineData("{\"config\":{\"digest\":\"DIGEST\",\"size\":1},\"layers\":[null]}", "a layer is null")]
    [InlineData("{\"config\":{\"digest\":\"DIGEST\",\"size\":1},\"layers\":[{\"digest\":\"DIGEST\",\"size\":1}]}", "a layer's type is missing")]
    [InlineData("{\"config\":{\"digest\":\"DIGEST\",\"size\":1},\"layers\":[{\"digest\":\"DIGEST\",\"size\":1,\"mediaType\":\"text/html\"}]}", "a layer is of the type 'text/html'")]
    [InlineData("{\"config\":{\"digest\":\"DIGEST\",\"size\":1,\"mediaType\":\"application/vnd.cncf.helm.config.v1+json\"},\"layers\":[]}", "this is not a container image")]
    [InlineData("{\"mediaType\":\"application/vnd.docker.distribution.manifest.v1+prettyjws\"}", "the manifest is of the type")]
    [InlineData("{\"manifests\":[],\"config\":{\"digest\":\"DIGEST\",\"size\":1},\"layers\":[]}", "both to be one image and a list of them")]
    [InlineData("{\"mediaType\":\"\\u001b[31mred\"}", "the type '?[31mred'")]
    [InlineData("{\"config\":", "not the JSON that it should be")]
    [InlineData("", "not the JSON that it should be")]
    public async Task A_manifest_that_is_none_is_refused(string manifest, string says) =>
        Assert.Contains(
            says,
            (await RefusedAsync(manifest.Replace("DIGEST", Digest, StringComparison.Ordinal))).Message,
            StringComparison.Ordinal);

    [Theory]
    [InlineData("null", "the registry's configuration is null")]
    [InlineData("{\"config\":{\"Env\":[null]}}", "has a null in it")]
    [InlineData("{\"config\":{\"Cmd\":[\"a\",null]}}", "has a null in it")]
    [InlineData("{\"config\":{\"WorkingDir\":\"/a\\u0000b\"}}", "has a NUL in it")]
    [InlineData("{\"config\":{\"Entrypoint\":\"/bin/sh\"}}", "at '$.config.Entrypoint'")]
    [InlineData("{\"rootfs\":{\"diff_ids\":[null]}}", "a diff_id of the configuration is missing")]
    [InlineData("{\"rootfs\":{\"diff_ids\":[\"DIGEST\"]}}", "is for 1 layers, and the manifest has 0")]
    [InlineData("{\"os\":\"windows\"}", "is for 'windows/'")]
    public async Task A_configuration_that_is_none_is_refused(string text, string says)
    {
        var config = Encoding.UTF8.GetBytes(text.Replace("DIGEST", Digest, StringComparison.Ordinal));
        Assert.Contains(
            says,
            (await RefusedAsync($$"""{"config":{"digest":"{{_registry.Keep(config)}}","size":{{config.Length}}},"layers":[]}""")).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_index_in_an_index_and_more_layers_or_images_than_any_has_are_refused()
    {
        var index = _registry.Keep("{\"manifests\":[]}"u8.ToArray());
        var platform = $$"""{"digest":"{{index}}","size":16,"platform":{"os":"linux","architecture":"{{ImageStore.Architecture}}" } }""";
        Assert.Contains(
            "lists another index",
            (await RefusedAsync($$"""{"manifests":[{{platform}}]}""")).Message,
            StringComparison.Ordinal);
        Assert.Contains(
            "1000 are allowed",
            (await RefusedAsync($$"""{"manifests":[{{string.Join(',', Enumerable.Repeat(platform, 1001))}}]}""")).Message,
            StringComparison.Ordinal);
        var layer = $$"""{"digest":"{{Digest}}","size":1,"mediaType":"{{ScriptedRegistry.LayerType}}"}""";
        Assert.Contains(
            "500 are allowed",
            (await RefusedAsync(
                $$"""{"config":{"digest":"{{Digest}}","size":1},"layers":[{{string.Join(',', Enumerable.Repeat(layer, 501))}}]}""")).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_document_without_end_is_refused()
    {
        _registry.Instead = Endless;
        Assert.Contains("larger than 4 MiB", (await RefusedAsync()).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_layer_without_end_is_left_at_its_size()
    {
        _registry.Instead = context => context.Request.Url!.AbsolutePath.EndsWith(_registry.Layer, StringComparison.Ordinal)
            && Endless(context);
        Assert.Contains("a layer is larger than the", (await RefusedAsync()).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_registry_that_sends_us_round_is_left()
    {
        _registry.Instead = context => Redirect(context, context.Request.Url!.ToString());
        Assert.Contains("redirects more than 5 times", (await RefusedAsync()).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("http://192.0.2.1/x", "is not https: 'http://192.0.2.1/x'")]
    [InlineData("file:///etc/passwd", "is not https: 'file:///etc/passwd'")]
    [InlineData("ftp://127.0.0.1/x", "is not https")]
    [InlineData(null, "but not where")]
    public async Task A_registry_that_sends_us_elsewhere_in_clear_text_is_refused(string? to, string says)
    {
        _registry.Instead = context => Redirect(context, to);
        Assert.Contains(says, (await RefusedAsync()).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_login_does_not_go_along_to_another_server_and_what_that_has_is_taken()
    {
        using var storage = new ScriptedRegistry();
        storage.Instead = context =>
        {
            ScriptedRegistry.Send(context.Response, 200, _registry.Manifest);
            return true;
        };
        _registry.Scheme = "Basic";
        _registry.Manifest = "{\"manifests\":[]}"u8.ToArray();
        _registry.Instead = context => context.Request.Headers["Authorization"] is not null
            && Redirect(context, $"http://127.0.0.1:{storage.Port}/v2/team/app/manifests/v1");
        // Answered by the other server: an index of nothing.
        Assert.Contains("is not there for linux", (await RefusedAsync(login: true)).Message, StringComparison.Ordinal);
        Assert.Contains(_registry.Requests, r => r.Authorization == $"Basic {ScriptedRegistry.Login}");
        Assert.Equal([null], storage.Requests.Select(r => r.Authorization));
    }

    [Theory]
    [InlineData("http://192.0.2.1/token", "is not https")]
    [InlineData("file:///etc/passwd", "is not https")]
    [InlineData("no address", "but not where")]
    public async Task A_token_server_that_is_none_is_refused(string realm, string says)
    {
        (_registry.Scheme, _registry.Realm) = ("Bearer", realm);
        Assert.Contains(says, (await RefusedAsync(login: true)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_login_does_not_go_to_a_token_server_on_another_host()
    {
        using var other = new ScriptedRegistry();
        (_registry.Scheme, _registry.Realm) = ("Bearer", $"http://localhost:{other.Port}/token");
        Assert.Contains(
            "the login was not sent: the registry wants it sent to localhost",
            (await RefusedAsync(login: true)).Hint,
            StringComparison.Ordinal);
        Assert.All(other.Requests, r => Assert.Null(r.Authorization));
    }

    [Theory]
    [InlineData("https://registry.example.com", "https://auth.example.com/token", true)]
    [InlineData("https://registry-1.docker.io", "https://auth.docker.io/token", true)]
    [InlineData("https://registry.lan:5000", "https://registry.lan:5001/token", true)]
    [InlineData("https://registry.example.com", "https://example.com.evil.net/token", false)]
    [InlineData("https://registry.lan", "https://gitlab.lan/token", true)]
    [InlineData("https://registry.lan", "https://gitlab.internal/token", false)]
    [InlineData("https://registry.com", "https://evil.com/token", false)]
    [InlineData("https://registry", "https://gitlab/token", false)]
    [InlineData("https://10.0.0.1", "https://10.0.0.2/token", false)]
    public void A_token_server_gets_logins_only_if_it_is_of_the_registrys_domain(string registry, string tokens, bool trusted) =>
        Assert.Equal(trusted, RegistryAddress.Trusts(new Uri(registry), new Uri(tokens)));

    [Theory]
    [InlineData("null")]
    [InlineData("{\"token\":1}")]
    [InlineData("{\"token\":\"a\\r\\nX-Evil: 1\"}")]
    [InlineData("<html>")]
    public async Task A_token_that_is_none_is_refused(string reply)
    {
        (_registry.Scheme, _registry.TokenReply) = ("Bearer", reply);
        Assert.Contains("the registry's token", (await RefusedAsync(login: true)).Message, StringComparison.Ordinal);
    }

    private static bool Redirect(HttpListenerContext context, string? to)
    {
        context.Response.StatusCode = 307;
        if (to is not null)
            context.Response.AddHeader("Location", to);
        context.Response.Close();
        return true;
    }

    private static bool Endless(HttpListenerContext context)
    {
        context.Response.SendChunked = true;
        var zeros = new byte[1024 * 1024];
        // Until the other side has enough of it.
        while (true)
            context.Response.OutputStream.Write(zeros);
    }

    private async Task<McpException> RefusedAsync(string? manifest = null, bool login = false)
    {
        if (manifest is not null)
            _registry.Manifest = Encoding.UTF8.GetBytes(manifest);
        var auth = Path.Combine(_directory, "auth.json");
        if (login)
            await File.WriteAllTextAsync(auth, $$"""{"auths":{"127.0.0.1:{{_registry.Port}}":{"auth":"{{ScriptedRegistry.Login}}"} } }""");
        var e = await Assert.ThrowsAsync<McpException>(() => new ImageStore(
            Path.Combine(_directory, "images"),
            new RegistryCredentials(auth)).PullAsync(Image, null, default));
        Assert.DoesNotContain("Exception", $"{e.Message} {e.Hint}", StringComparison.Ordinal);
        Assert.DoesNotContain("System.", $"{e.Message} {e.Hint}", StringComparison.Ordinal);
        return e;
    }
}
