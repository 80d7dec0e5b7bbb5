using System.Collections.Concurrent;
using System.Formats.Tar;
using System.IO.Compression;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using Mcp.Model;
using Mcp.Model.Names;
using Mcp.Runtimes.Images;

namespace Mcp.UnitTests.Runtimes;

/// <summary>Against a scripted registry, for what real ones do too seldom.</summary>
public sealed class ImageStoreTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("mcp-images").FullName;
    private readonly ScriptedRegistry _registry = new();

    private ImageReference Image => ImageReference.Parse($"127.0.0.1:{_registry.Port}/team/app:v1");

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
    public async Task What_an_earlier_try_has_of_a_layer_is_not_asked_for_again()
    {
        _registry.Publish();
        _registry.BreakLayerAfter = 50_000;
        _registry.Broken = int.MaxValue;
        await Assert.ThrowsAnyAsync<Exception>(() => Store().PullAsync(Image, null, default));
        _registry.Broken = 0;
        var before = _registry.Ranges.Count;
        await Store().PullAsync(Image, null, default);
        Assert.Equal(["bytes=50000-"], _registry.Ranges.Skip(before));
    }

    [Fact]
    public async Task A_layer_that_is_not_what_it_should_be_is_refused_and_forgotten()
    {
        _registry.Publish();
        _registry.Lies = true;
        var e = await Assert.ThrowsAsync<IOException>(() => Store().PullAsync(Image, null, default));
        Assert.Contains("what the registry delivered is not sha256:", e.Message, StringComparison.Ordinal);
        Assert.Null(Store().Find(Image));
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
        var refused = await Assert.ThrowsAsync<HttpRequestException>(() => Store().PullAsync(Image, null, default));
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
        var e = await Assert.ThrowsAsync<McpException>(() => Store().PullAsync(ImageReference.Parse($"127.0.0.1:{_registry.Port}/team/app:v2"), null, default));
        Assert.Equal("image.architecture", e.Code);
        Assert.Contains("only for linux/riscv64, linux/s390x", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_no_instance_needs_goes_after_a_week()
    {
        _registry.Publish();
        var image = await Store().PullAsync(Image, null, default);
        var now = TimeProvider.System.GetUtcNow();
        Store().Evict(new HashSet<string>(), now.AddDays(6));
        Store().Evict(new HashSet<string> { image.Digest }, now.AddDays(30));
        Assert.NotNull(Store().Find(Image));
        Store().Evict(new HashSet<string>(), now.AddDays(8));
        Assert.Null(Store().Find(Image));
        Assert.NotNull(await Store().PullAsync(Image, null, default));
    }

    private ImageStore Store(string? auth = null) => new(Path.Combine(_directory, "images"), new RegistryCredentials(auth ?? Path.Combine(_directory, "no-such-file")));

    private sealed class ScriptedRegistry : IDisposable
    {
        public static readonly string Login = Convert.ToBase64String("me:secret"u8);
        public static readonly byte[] Content = RandomNumberGenerator.GetBytes(100_000);
        private const string Token = "a-token";
        private readonly HttpListener _listener = new();
        private readonly ConcurrentDictionary<string, byte[]> _blobs = new();
        private string _manifest = "";
        private string _layer = "";

        public ScriptedRegistry()
        {
            using (var free = new TcpListener(IPAddress.Loopback, 0))
            {
                free.Start();
                Port = ((IPEndPoint)free.LocalEndpoint).Port;
            }

            _listener.Prefixes.Add($"http://127.0.0.1:{Port}/");
            _listener.Start();
            _ = ServeAsync();
        }

        public int Port { get; }

        public List<string> Ranges { get; } = [];

        /// <summary>The layer's connection ends after so many bytes, as often as Broken says.</summary>
        public int BreakLayerAfter { get; set; }

        public int Broken { get; set; } = 1;

        public bool Lies { get; set; }

        public string Scheme { get; set; } = "";

        public void Publish(params (string Os, string Architecture)[] platforms)
        {
            using var packed = new MemoryStream();
            using (var gzip = new GZipStream(packed, CompressionLevel.Fastest, leaveOpen: true))
            using (var tar = new TarWriter(gzip))
                tar.WriteEntry(new PaxTarEntry(TarEntryType.RegularFile, "data") { DataStream = new MemoryStream(Content) });
            _layer = Keep(packed.ToArray());
            var config = Keep(Encoding.UTF8.GetBytes($$"""{"architecture":"{{ImageStore.Architecture}}","config":{"Cmd":["/data"] } }"""));
            _manifest = $$"""{"config":{"digest":"{{config}}","size":1},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"{{_layer}}","size":{{packed.Length}}}]}""";
            if (platforms.Length > 0)
            {
                var digest = Keep(Encoding.UTF8.GetBytes(_manifest));
                _manifest = $$"""{"manifests":[{{string.Join(',', platforms.Select(p => $$"""{"digest":"{{digest}}","size":1,"platform":{"os":"{{p.Os}}","architecture":"{{p.Architecture}}" } }"""))}}]}""";
            }
        }

        public void Dispose() => _listener.Close();

        private string Keep(byte[] bytes)
        {
            var digest = $"sha256:{Convert.ToHexStringLower(SHA256.HashData(bytes))}";
            _blobs[digest] = bytes;
            return digest;
        }

        private async Task ServeAsync()
        {
            while (_listener.IsListening)
            {
                try
                {
                    Answer(await _listener.GetContextAsync());
                }
                catch (Exception e) when (e is HttpListenerException or ObjectDisposedException)
                {
                    // Broken off on purpose, or the end.
                }
            }
        }

        private void Answer(HttpListenerContext context)
        {
            var (path, response) = (context.Request.Url!.AbsolutePath, context.Response);
            var given = context.Request.Headers["Authorization"];
            if (path == "/token")
            {
                var known = given == $"Basic {Login}" && context.Request.QueryString["scope"] == "repository:team/app:pull" && context.Request.QueryString["service"] == "here";
                Send(response, known ? 200 : 401, Encoding.UTF8.GetBytes($$"""{"token":"{{Token}}"}"""));
                return;
            }

            if (Scheme.Length > 0 && given != (Scheme == "Basic" ? $"Basic {Login}" : $"Bearer {Token}"))
            {
                response.AddHeader("WWW-Authenticate", Scheme == "Basic" ? "Basic realm=\"here\"" : $"Bearer realm=\"http://127.0.0.1:{Port}/token\",service=\"here\",scope=\"repository:team/app:pull\"");
                Send(response, 401, []);
                return;
            }

            var name = path.Split('/')[^1];
            if (path.Contains("/manifests/v", StringComparison.Ordinal))
                Send(response, 200, Encoding.UTF8.GetBytes(_manifest));
            else if (name == _layer)
                SendLayer(context.Request.Headers["Range"] ?? "", response);
            else
                Send(response, _blobs.ContainsKey(name) ? 200 : 404, _blobs.GetValueOrDefault(name) ?? []);
        }

        private void SendLayer(string range, HttpListenerResponse response)
        {
            Ranges.Add(range);
            var all = Lies ? new byte[_blobs[_layer].Length] : _blobs[_layer];
            var from = range.Length > 0 ? int.Parse(range["bytes=".Length..^1], System.Globalization.CultureInfo.InvariantCulture) : 0;
            if (BreakLayerAfter > 0 && Broken-- > 0)
            {
                response.StatusCode = from > 0 ? 206 : 200;
                response.ContentLength64 = all.Length - from;
                if (from < BreakLayerAfter)
                    response.OutputStream.Write(all, from, BreakLayerAfter - from);
                response.OutputStream.Flush();
                response.Abort();
                return;
            }

            Send(response, from > 0 ? 206 : 200, all[from..]);
        }

        private static void Send(HttpListenerResponse response, int status, byte[] body)
        {
            response.StatusCode = status;
            response.ContentLength64 = body.Length;
            response.OutputStream.Write(body);
            response.Close();
        }
    }
}
