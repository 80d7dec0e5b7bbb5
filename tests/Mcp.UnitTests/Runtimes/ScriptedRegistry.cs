using System.Collections.Concurrent;
using System.Formats.Tar;
using System.Globalization;
using System.IO.Compression;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using Mcp.Runtimes.Images;

namespace Mcp.UnitTests.Runtimes;

/// <summary>A registry on this machine that does what real ones do too seldom, and what only hostile ones do.</summary>
internal sealed class ScriptedRegistry : IDisposable
{
    public const string LayerType = "application/vnd.oci.image.layer.v1.tar+gzip";
    public static readonly string Login = Convert.ToBase64String("me:secret"u8);
    public static readonly byte[] Content = RandomNumberGenerator.GetBytes(100_000);
    private const string Token = "a-token";
    private readonly HttpListener _listener = new();
    private readonly ConcurrentDictionary<string, byte[]> _blobs = new();

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

    /// <summary>Paths with what came in the header Authorization.</summary>
    public ConcurrentQueue<(string Path, string? Authorization)> Requests { get; } = new();

    /// <summary>The layer's connection ends after so many bytes, as often as Broken says.</summary>
    public int BreakLayerAfter { get; set; }

    public int Broken { get; set; } = 1;

    public bool Lies { get; set; }

    public string Scheme { get; set; } = "";

    /// <summary>Where logins are to be sent; null: here.</summary>
    public string? Realm { get; set; }

    /// <summary>The answer to the token's request; null: the right one.</summary>
    public string? TokenReply { get; set; }

    /// <summary>Said with each manifest; null: nothing is.</summary>
    public string? ContentDigest { get; set; }

    /// <summary>Answers instead of the registry; true: it has.</summary>
    public Func<HttpListenerContext, bool> Instead { get; set; } = _ => false;

    /// <summary>What is given for every tag.</summary>
    public byte[] Manifest { get; set; } = [];

    /// <summary>Digest of the layer of Publish.</summary>
    public string Layer { get; private set; } = "";

    public void Publish(params (string Os, string Architecture)[] platforms)
    {
        Layer = Keep(Gzip(Tar(new PaxTarEntry(TarEntryType.RegularFile, "data") { DataStream = new MemoryStream(Content) })));
        Manifest = Encoding.UTF8.GetBytes(ManifestOf(Layer, _blobs[Layer].Length));
        if (platforms.Length == 0)
            return;
        var digest = Keep(Manifest);
        var list = platforms.Select(p => $$"""{"digest":"{{digest}}","size":{{Manifest.Length}},"platform":{"os":"{{p.Os}}","architecture":"{{p.Architecture}}" } }""");
        Manifest = Encoding.UTF8.GetBytes($$"""{"manifests":[{{string.Join(',', list)}}]}""");
    }

    /// <summary>An image of one layer.</summary>
    public void Publish(byte[] layer, string type = LayerType)
    {
        Layer = Keep(layer);
        Manifest = Encoding.UTF8.GetBytes(ManifestOf(Layer, layer.Length, type));
    }

    public string ManifestOf(string digest, long size, string type = LayerType)
    {
        var config = Encoding.UTF8.GetBytes($$"""{"architecture":"{{ImageStore.Architecture}}","config":{"Cmd":["/data"] } }""");
        return $$"""{"config":{"digest":"{{Keep(config)}}","size":{{config.Length}}},"layers":[{"mediaType":"{{type}}","digest":"{{digest}}","size":{{size}}}]}""";
    }

    public string Keep(byte[] bytes)
    {
        var digest = $"sha256:{Convert.ToHexStringLower(SHA256.HashData(bytes))}";
        _blobs[digest] = bytes;
        return digest;
    }

    public void Forget() => _blobs.Clear();

    public void Dispose() => _listener.Close();

    public static byte[] Tar(params TarEntry[] entries)
    {
        using var tar = new MemoryStream();
        using (var writer = new TarWriter(tar, leaveOpen: true))
        {
            foreach (var entry in entries)
                writer.WriteEntry(entry);
        }

        return tar.ToArray();
    }

    public static byte[] Gzip(byte[] bytes)
    {
        using var packed = new MemoryStream();
        using (var gzip = new GZipStream(packed, CompressionLevel.Fastest, leaveOpen: true))
            gzip.Write(bytes);
        return packed.ToArray();
    }

    public static void Send(HttpListenerResponse response, int status, byte[] body)
    {
        response.StatusCode = status;
        response.ContentLength64 = body.Length;
        response.OutputStream.Write(body);
        response.Close();
    }

    private async Task ServeAsync()
    {
        while (_listener.IsListening)
        {
            try
            {
                var context = await _listener.GetContextAsync();
                Requests.Enqueue((context.Request.Url!.AbsolutePath, context.Request.Headers["Authorization"]));
                if (!Instead(context))
                    Answer(context);
            }
            catch (Exception e) when (e is HttpListenerException or ObjectDisposedException or IOException)
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
            var known = given == $"Basic {Login}"
                && context.Request.QueryString["scope"] == "repository:team/app:pull"
                && context.Request.QueryString["service"] == "here";
            Send(response, known ? 200 : 401, Encoding.UTF8.GetBytes(TokenReply ?? $$"""{"token":"{{Token}}"}"""));
            return;
        }

        if (Scheme.Length > 0 && given != (Scheme == "Basic" ? $"Basic {Login}" : $"Bearer {Token}"))
        {
            response.AddHeader(
                "WWW-Authenticate",
                Scheme == "Basic"
                    ? "Basic realm=\"here\""
                    : $"Bearer realm=\"{Realm ?? $"http://127.0.0.1:{Port}/token"}\",service=\"here\",scope=\"repository:team/app:pull\"");
            Send(response, 401, []);
            return;
        }

        var name = path.Split('/')[^1];
        if (ContentDigest is { } digest)
            response.AddHeader("Docker-Content-Digest", digest);
        if (path.Contains("/manifests/v", StringComparison.Ordinal))
            Send(response, 200, Manifest);
        else if (name == Layer)
            SendLayer(context.Request.Headers["Range"] ?? "", response);
        else
            Send(response, _blobs.ContainsKey(name) ? 200 : 404, _blobs.GetValueOrDefault(name) ?? []);
    }

    private void SendLayer(string range, HttpListenerResponse response)
    {
        Ranges.Add(range);
        var all = Lies ? new byte[_blobs[Layer].Length] : _blobs[Layer];
        var from = range.Length > 0 ? int.Parse(range["bytes=".Length..^1], CultureInfo.InvariantCulture) : 0;
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
}
