using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.RegularExpressions;
using Mcp.Model;
using Mcp.Model.Names;

namespace Mcp.Runtimes.Images;

/// <summary>Reads one image from its registry, so that what one registry was shown is never shown to another. https://github.com/opencontainers/distribution-spec. Clear text only to registries on this machine.</summary>
internal sealed partial class RegistryClient(ImageReference image, RegistryCredentials credentials) : IDisposable
{
    private const int MaxDocumentBytes = 4 * 1024 * 1024;
    private const int Tries = 4;
    private static readonly TimeSpan s_answer = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(500);
    private static readonly string[] s_manifests =
    [
        "application/vnd.oci.image.index.v1+json", "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json", "application/vnd.docker.distribution.manifest.v2+json",
    ];

    private readonly HttpClient _http = new(new SocketsHttpHandler { ConnectTimeout = TimeSpan.FromSeconds(10), PooledConnectionLifetime = TimeSpan.FromMinutes(5) }) { Timeout = Timeout.InfiniteTimeSpan };
    private AuthenticationHeaderValue? _authorization;

    /// <summary>The manifest for this platform, and its digest.</summary>
    public async Task<(string Digest, OciManifest Manifest)> ManifestAsync(string architecture, CancellationToken ct)
    {
        var (digest, manifest) = await ReadManifestAsync(Tag(image), ct);
        if (manifest.Manifests is { } platforms)
        {
            var fitting = platforms.FirstOrDefault(p => p.Platform is { Os: "linux" } platform && platform.Architecture == architecture)
                ?? throw new McpException("image.architecture", $"{image} is not there for linux/{architecture}, only for {string.Join(", ", platforms.Where(p => p.Platform?.Os is not (null or "unknown")).Select(p => $"{p.Platform!.Os}/{p.Platform.Architecture}"))}", "build the image for this architecture too");
            (digest, manifest) = await ReadManifestAsync(fitting.Digest, ct);
        }

        return manifest is { Config: not null, Layers: not null } ? (digest, manifest) : throw new IOException("the registry's answer is not an image manifest");
    }

    /// <summary>Of the Linux platforms that the image is there for, as image manifests spell them.</summary>
    public async Task<IReadOnlyList<string>> ArchitecturesAsync(CancellationToken ct)
    {
        var (_, manifest) = await ReadManifestAsync(Tag(image), ct);
        if (manifest.Manifests is { } platforms)
            return [.. platforms.Where(p => p.Platform is { Os: "linux", Architecture: not null }).Select(p => p.Platform!.Architecture!).Distinct()];
        return manifest.Config is { } config && (await ConfigAsync(config, ct)).Architecture is { } only ? [only] : throw new IOException("the registry's answer does not say the image's architecture");
    }

    public async Task<OciConfig> ConfigAsync(OciDescriptor config, CancellationToken ct)
    {
        using var response = await SendAsync($"blobs/{config.Digest}", [], null, ct);
        var bytes = await BytesAsync(response, ct);
        Verify(config.Digest, SHA256.HashData(bytes));
        return JsonSerializer.Deserialize(bytes, OciJson.Default.OciConfig) ?? throw new IOException("the image has no configuration");
    }

    /// <summary>Downloads to a file and checks the digest; goes on where a connection broke, also one of an earlier try.</summary>
    public async Task BlobAsync(OciDescriptor blob, string file, CancellationToken ct)
    {
        for (var tries = 1; ; tries++)
        {
            try
            {
                await DownloadAsync(blob, file, ct);
                break;
            }
            catch (Exception e) when (e is HttpIOException or HttpRequestException { StatusCode: null } && tries < Tries)
            {
                await Task.Delay(s_pause * tries, ct);
            }
        }

        await using var written = File.OpenRead(file);
        try
        {
            Verify(blob.Digest, await SHA256.HashDataAsync(written, ct));
        }
        catch (IOException)
        {
            File.Delete(file);
            throw;
        }
    }

    public void Dispose() => _http.Dispose();

    private async Task DownloadAsync(OciDescriptor blob, string file, CancellationToken ct)
    {
        await using var output = new FileStream(file, FileMode.OpenOrCreate, FileAccess.Write);
        if (output.Length == blob.Size)
            return;
        var from = output.Length < blob.Size ? output.Length : 0;
        using var response = await SendAsync($"blobs/{blob.Digest}", [], from > 0 ? new RangeHeaderValue(from, null) : null, ct);
        output.SetLength(response.StatusCode == HttpStatusCode.PartialContent ? from : 0);
        output.Seek(0, SeekOrigin.End);
        await using var input = await response.Content.ReadAsStreamAsync(ct);
        await input.CopyToAsync(output, ct);
    }

    private async Task<(string Digest, OciManifest Manifest)> ReadManifestAsync(string reference, CancellationToken ct)
    {
        using var response = await SendAsync($"manifests/{reference}", s_manifests, null, ct);
        var bytes = await BytesAsync(response, ct);
        var digest = $"sha256:{Convert.ToHexStringLower(SHA256.HashData(bytes))}";
        if (reference.StartsWith("sha256:", StringComparison.Ordinal) && reference != digest)
            throw new IOException($"the registry answered with {digest} instead of {reference}");
        return (digest, JsonSerializer.Deserialize(bytes, OciJson.Default.OciManifest) ?? throw new IOException("the registry's manifest is empty"));
    }

    private async Task<HttpResponseMessage> SendAsync(string what, string[] accept, RangeHeaderValue? range, CancellationToken ct)
    {
        var (registry, repository) = Split(image);
        var address = new Uri($"{(IPEndPoint.TryParse(registry, out var ip) && IPAddress.IsLoopback(ip.Address) || registry.StartsWith("localhost:", StringComparison.Ordinal) ? "http" : "https")}://{registry}/v2/{repository}/{what}");
        for (var again = false; ; again = true)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, address);
            request.Headers.Authorization = _authorization;
            request.Headers.Range = range;
            foreach (var type in accept)
                request.Headers.Accept.ParseAdd(type);
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
            limit.CancelAfter(s_answer);
            var response = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, limit.Token);
            if (response.StatusCode == HttpStatusCode.Unauthorized && !again && await AuthorizeAsync(response, limit.Token))
            {
                response.Dispose();
                continue;
            }

            if (response.IsSuccessStatusCode)
                return response;
            using (response)
                throw new HttpRequestException(response.StatusCode switch
                {
                    HttpStatusCode.NotFound => $"{registry} has no {what}",
                    HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden => $"{registry} refuses access: podman login {registry} on the node as the agent's user",
                    var status => $"{registry} answered {(int)status}",
                }, null, response.StatusCode);
        }
    }

    // https://distribution.github.io/distribution/spec/auth/token/
    private async Task<bool> AuthorizeAsync(HttpResponseMessage refused, CancellationToken ct)
    {
        var (registry, repository) = Split(image);
        var basic = credentials.For(registry == "registry-1.docker.io" ? "docker.io" : registry);
        var challenge = refused.Headers.WwwAuthenticate.FirstOrDefault(c => c.Scheme is "Bearer" or "Basic");
        if (challenge is { Scheme: "Bearer", Parameter: { } parameters })
        {
            var known = Parameter().Matches(parameters).ToDictionary(m => m.Groups[1].Value, m => m.Groups[2].Value);
            if (!Uri.TryCreate(known.GetValueOrDefault("realm"), UriKind.Absolute, out var realm))
                return false;
            using var request = new HttpRequestMessage(HttpMethod.Get, new Uri($"{realm}?service={Uri.EscapeDataString(known.GetValueOrDefault("service") ?? "")}&scope={Uri.EscapeDataString($"repository:{repository}:pull")}"));
            // Credentials travel encrypted, or stay on this machine.
            if (basic is not null && (realm.Scheme == Uri.UriSchemeHttps || realm.IsLoopback))
                request.Headers.Authorization = new AuthenticationHeaderValue("Basic", basic);
            using var response = await _http.SendAsync(request, ct);
            if (!response.IsSuccessStatusCode)
                return false;
            var reply = JsonSerializer.Deserialize(await BytesAsync(response, ct), OciJson.Default.TokenReply);
            _authorization = (reply?.Token ?? reply?.AccessToken) is { } token ? new AuthenticationHeaderValue("Bearer", token) : null;
            return _authorization is not null;
        }

        _authorization = basic is null ? null : new AuthenticationHeaderValue("Basic", basic);
        return _authorization is not null;
    }

    private static async Task<byte[]> BytesAsync(HttpResponseMessage response, CancellationToken ct)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
        limit.CancelAfter(s_answer);
        await using var stream = await response.Content.ReadAsStreamAsync(limit.Token);
        using var bytes = new MemoryStream();
        var buffer = new byte[64 * 1024];
        for (int read; (read = await stream.ReadAsync(buffer, limit.Token)) > 0;)
        {
            await bytes.WriteAsync(buffer.AsMemory(0, read), limit.Token);
            if (bytes.Length > MaxDocumentBytes)
                throw new IOException($"the registry's answer is larger than {MaxDocumentBytes / 1024 / 1024} MiB");
        }

        return bytes.ToArray();
    }

    private static void Verify(string expected, byte[] hash)
    {
        if (expected != $"sha256:{Convert.ToHexStringLower(hash)}")
            throw new IOException($"what the registry delivered is not {expected}");
    }

    private static (string Registry, string Repository) Split(ImageReference image)
    {
        var text = image.Text;
        var slash = text.IndexOf('/', StringComparison.Ordinal);
        var name = text[(slash + 1)..].Split('@')[0];
        var colon = name.LastIndexOf(':');
        return (text[..slash] == "docker.io" ? "registry-1.docker.io" : text[..slash], colon > 0 ? name[..colon] : name);
    }

    private static string Tag(ImageReference image)
    {
        var at = image.Text.IndexOf('@', StringComparison.Ordinal);
        if (at > 0)
            return image.Text[(at + 1)..];
        var colon = image.Text.LastIndexOf(':');
        return colon > image.Text.LastIndexOf('/') ? image.Text[(colon + 1)..] : "latest";
    }

    [GeneratedRegex("(\\w+)=\"([^\"]*)\"")]
    private static partial Regex Parameter();
}
