using System.Net;
using Mcp.Model.Errors;
using Mcp.Model.Names;

namespace Mcp.Runtimes.Images;

/// <summary>Reads one image from its registry, so that what one registry was shown is never shown to another.
/// https://github.com/opencontainers/distribution-spec. Nothing that it says is used unchecked; every failure is an McpException without
/// the image's name, which the caller knows.</summary>
/// <param name="maxBytes">No image may be larger, packed.</param>
internal sealed class RegistryClient(ImageReference image, RegistryCredentials credentials, long maxBytes) : IImageSource
{
    private const int Tries = 4;
    private const int BufferBytes = 64 * 1024;
    private const string DigestHeader = "Docker-Content-Digest";
    private static readonly TimeSpan s_silence = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(500);
    private readonly RegistryConnection _registry = new(image, credentials);
    private readonly OciReader _reader = new(maxBytes);
    private (Digest Digest, ManifestDocument Manifest)? _named;

    /// <summary>The manifest for this platform, and its digest.</summary>
    /// <exception cref="McpException">image.pull, image.architecture, image.too_large</exception>
    public async Task<(Digest Digest, ImageManifest Manifest)> ManifestAsync(string architecture, CancellationToken ct)
    {
        var (digest, document) = await NamedAsync(ct);
        if (document is ManifestDocument.Platforms { All: var all })
        {
            var fitting = all.Where(p => p.Os == "linux" && p.Architecture == architecture).OrderBy(p => p.Digest is null).FirstOrDefault()
                ?? throw NotFor(architecture, all);
            var named = fitting.Digest
                ?? throw OciReader.Wrong(
                    $"the index names the image for linux/{architecture} by a digest that is not {Images.Digest.Allowed}");
            (digest, document) = await ReadManifestAsync(named.ToString(), ct);
        }

        return document is ManifestDocument.OneImage { Manifest: var manifest }
            ? (digest, manifest)
            : throw OciReader.Wrong("the index lists another index, not an image");
    }

    /// <summary>By which the image is known now: its own and, where it is one of an index, the index's.</summary>
    /// <exception cref="McpException">image.pull</exception>
    public async Task<IReadOnlyList<string>> DigestsAsync(string architecture, CancellationToken ct)
    {
        var (digest, document) = await NamedAsync(ct);
        var ours = document is ManifestDocument.Platforms { All: var all }
            ? all.Where(p => p.Os == "linux" && p.Architecture == architecture).Select(p => p.Digest?.ToString()).OfType<string>()
            : [];
        return [digest.ToString(), .. ours];
    }

    /// <summary>Of the Linux platforms that the image is there for, as image manifests spell them.</summary>
    /// <exception cref="McpException">image.pull</exception>
    public async Task<IReadOnlyList<string>> ArchitecturesAsync(CancellationToken ct)
    {
        var (_, document) = await NamedAsync(ct);
        return document switch
        {
            ManifestDocument.Platforms { All: var all } =>
            [
                .. all.Where(p => p is { Os: "linux", Architecture: not null, Digest: not null })
                    .Select(p => p.Architecture!)
                    .Distinct(),
            ],
            ManifestDocument.OneImage { Manifest: var manifest } when (await ConfigAsync(manifest, ct)).Architecture is { } only => [only],
            _ => throw OciReader.Wrong("the image does not say for which machines it is"),
        };
    }

    /// <exception cref="McpException">image.pull</exception>
    public async Task<OciConfig> ConfigAsync(ImageManifest manifest, CancellationToken ct)
    {
        using var response = await _registry.GetAsync($"blobs/{manifest.Config.Digest}", [], 0, ct);
        var bytes = await RegistryConnection.DocumentAsync(response, ct);
        Verify(manifest.Config.Digest, Digest.Of(bytes), response);
        return OciReader.Config(bytes, manifest.Layers.Count);
    }

    /// <summary>Downloads what the manifest says and not a byte more, and checks its digest; goes on where a connection broke.</summary>
    /// <param name="output">Empty. Afterwards at its beginning.</param>
    /// <param name="here">Told how many bytes have come.</param>
    /// <exception cref="McpException">image.pull, disk.full</exception>
    public async Task BlobAsync(Blob blob, Stream output, DiskRoom room, Action<long>? here, CancellationToken ct)
    {
        for (var tries = 1; output.Length < blob.Size; tries++)
        {
            var why = await DownloadAsync(blob, output, room, here, tries == Tries, ct);
            if (why is not null && tries >= Tries)
                throw OciReader.Wrong($"a layer broke off after {output.Length} of {blob.Size} bytes, {Tries} times: {why}");
            if (why is not null)
                await Task.Delay(s_pause * tries, ct);
        }

        output.Position = 0;
        Verify(blob.Digest, await Digest.OfAsync(output, ct), null);
        output.Position = 0;
    }

    public void Dispose() => _registry.Dispose();

    /// <param name="last">It is not tried again.</param>
    /// <returns>Why it broke off; null: it did not.</returns>
    private async Task<string?> DownloadAsync(
        Blob blob,
        Stream output,
        DiskRoom room,
        Action<long>? here,
        bool last,
        CancellationToken ct)
    {
        HttpResponseMessage answer;
        try
        {
            answer = await _registry.GetAsync($"blobs/{blob.Digest}", [], output.Length, ct);
        }
        catch (McpException e) when (!last && RegistryConnection.MayPass(e))
        {
            return e.Message;
        }

        using var response = answer;
        Verify(blob.Digest, blob.Digest, response);
        var from = response.StatusCode == HttpStatusCode.PartialContent ? output.Length : 0;
        if (response.Content.Headers.ContentRange?.From is { } begins && begins != from)
            throw OciReader.Wrong($"the registry sent bytes from {begins} on, and was asked for those from {from} on");
        output.SetLength(from);
        output.Position = from;
        using var silence = CancellationTokenSource.CreateLinkedTokenSource(ct);
        var buffer = new byte[BufferBytes];
        try
        {
            await using var input = await response.Content.ReadAsStreamAsync(silence.Token);
            while (true)
            {
                silence.CancelAfter(s_silence);
                var read = await input.ReadAsync(buffer, silence.Token);
                if (read == 0)
                    return output.Length < blob.Size ? "the connection was closed" : null;
                if (output.Length + read > blob.Size)
                    throw OciReader.Wrong($"a layer is larger than the {blob.Size} bytes that its manifest says");
                room.Take(read);
                await output.WriteAsync(buffer.AsMemory(0, read), ct);
                here?.Invoke(output.Length);
            }
        }
        catch (IOException e) when (DiskRoom.Of(e, "") is null)
        {
            return RegistryConnection.Why(e);
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            return $"nothing came for {s_silence.TotalSeconds:0} s";
        }
    }

    // Asked once: all answers are about one moment.
    private async Task<(Digest Digest, ManifestDocument Manifest)> NamedAsync(CancellationToken ct) =>
        _named ??= await ReadManifestAsync(RegistryAddress.Tag(image), ct);

    private async Task<(Digest Digest, ManifestDocument Manifest)> ReadManifestAsync(string reference, CancellationToken ct)
    {
        using var response = await _registry.GetAsync($"manifests/{reference}", OciReader.Accepted, 0, ct);
        var bytes = await RegistryConnection.DocumentAsync(response, ct);
        var digest = Digest.Of(bytes);
        Verify(Digest.TryParse(reference, out var asked) ? asked : digest, digest, response);
        return (digest, _reader.Manifest(bytes));
    }

    private static void Verify(Digest expected, Digest found, HttpResponseMessage? response)
    {
        if (expected != found)
            throw OciReader.Wrong($"what the registry delivered is not {expected}");
        foreach (var said in response is not null && response.Headers.TryGetValues(DigestHeader, out var all) ? all : [])
        {
            if (OciReader.DigestOf(said, $"the registry's header {DigestHeader}") != expected)
                throw OciReader.Wrong($"what the registry delivered is not {expected}: its header {DigestHeader} says {said}");
        }
    }

    private McpException NotFor(string architecture, IReadOnlyList<PlatformManifest> all)
    {
        var there = all.Where(p => p.Os is not (null or "unknown")).Select(p => $"{p.Os}/{p.Architecture}").Distinct();
        return new McpException(
            ErrorCode.ImageArchitecture,
            $"{image} is not there for linux/{architecture}, only for {string.Join(", ", there)}",
            "build the image for this architecture too");
    }
}
