using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Mcp.Model.Errors;
using Mcp.Model.Names;

namespace Mcp.Runtimes.Images;

/// <summary>Checks what a registry says before anything is done with it.</summary>
/// <param name="maxBytes">Of an image; no layer may be larger, packed, nor all of them.</param>
internal sealed class OciReader(long maxBytes)
{
    /// <summary>Of a manifest, an index or a configuration; fixed.</summary>
    public const int MaxDocumentBytes = 4 * 1024 * 1024;
    public const int MaxLayers = 500;
    private const int MaxPlatforms = 1000;
    private const int MaxPlatformName = 32;
    private const int MaxText = 500;
    private static readonly string[] s_documents =
    [
        "application/vnd.oci.image.index.v1+json", "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json", "application/vnd.docker.distribution.manifest.v2+json",
    ];

    // The last one is Docker's 1.10: it is JSON all the same.
    private static readonly string[] s_configs =
    [
        "application/vnd.oci.image.config.v1+json",
        "application/vnd.docker.container.image.v1+json",
        "application/octet-stream"
    ];

    private static readonly Dictionary<string, LayerPacking> s_layers = new()
    {
        ["application/vnd.oci.image.layer.v1.tar"] = LayerPacking.None,
        ["application/vnd.oci.image.layer.v1.tar+gzip"] = LayerPacking.Gzip,
        ["application/vnd.oci.image.layer.v1.tar+zstd"] = LayerPacking.Zstd,
        ["application/vnd.oci.image.layer.nondistributable.v1.tar"] = LayerPacking.None,
        ["application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"] = LayerPacking.Gzip,
        ["application/vnd.oci.image.layer.nondistributable.v1.tar+zstd"] = LayerPacking.Zstd,
        ["application/vnd.docker.image.rootfs.diff.tar"] = LayerPacking.None,
        ["application/vnd.docker.image.rootfs.diff.tar.gzip"] = LayerPacking.Gzip,
        ["application/vnd.docker.image.rootfs.diff.tar.zstd"] = LayerPacking.Zstd,
        ["application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"] = LayerPacking.Gzip,
    };

    public static IReadOnlyList<string> Accepted => s_documents;

    /// <exception cref="McpException">image.pull: it is not what a registry should answer; says where.</exception>
    public ManifestDocument Manifest(ReadOnlySpan<byte> bytes)
    {
        var manifest = Parse(bytes, "manifest", OciJson.Default.OciManifest);
        if (manifest.MediaType is { } type && !s_documents.Contains(type))
            throw Wrong($"the manifest is of the type {Shown(type)}, not an image");
        return manifest switch
        {
            { Manifests: { } platforms, Config: null, Layers: null } => new ManifestDocument.Platforms(Platforms(platforms)),
            { Manifests: null, Config: { } config, Layers: { } layers } => new ManifestDocument.OneImage(
                new ImageManifest(Config(config), Layers(layers))),
            { Manifests: not null } => throw Wrong("the manifest says both to be one image and a list of them"),
            _ => throw Wrong("the registry's answer is not an image manifest"),
        };
    }

    /// <summary>The image's configuration; what is missing in it is null.</summary>
    /// <param name="layers">How many the manifest has.</param>
    /// <exception cref="McpException">image.pull</exception>
    public static OciConfig Config(ReadOnlySpan<byte> bytes, int layers)
    {
        var config = Parse(bytes, "configuration", OciJson.Default.OciConfig);
        foreach (var id in config.Rootfs?.DiffIds ?? [])
            DigestOf(id, "a diff_id of the configuration");
        if (config.Rootfs?.DiffIds is { } ids && ids.Count != layers)
            throw Wrong($"the configuration is for {ids.Count} layers, and the manifest has {layers}");
        var inner = config.Config;
        IReadOnlyList<string?> texts = [config.Architecture, config.Os, inner?.WorkingDir, inner?.User];
        foreach (var list in (IReadOnlyList<string?>?[])[inner?.Env, inner?.Entrypoint, inner?.Cmd])
        {
            if (list?.Contains(null) == true)
                throw Wrong("a list of the configuration has a null in it");
            texts = [.. texts, .. list ?? []];
        }

        return texts.Any(t => t?.Contains('\0', StringComparison.Ordinal) == true)
            ? throw Wrong("a text of the configuration has a NUL in it")
            : config;
    }

    /// <summary>A token of a token server, fit for a header; null: none.</summary>
    /// <exception cref="McpException">image.pull</exception>
    public static string? Token(ReadOnlySpan<byte> bytes)
    {
        var reply = Parse(bytes, "token", OciJson.Default.TokenReply);
        var token = reply.Token is { Length: > 0 } ? reply.Token : reply.AccessToken;
        if (token is null or "")
            return null;
        var isFit = token.All(c => c is > ' ' and < '\x7f');
        return isFit ? token : throw Wrong("the registry's token has characters that no token has");
    }

    /// <exception cref="McpException">image.pull</exception>
    public static Digest DigestOf(string? text, string what) =>
        Digest.TryParse(text, out var digest)
            ? digest
            : throw Wrong($"{what} is {(text is null ? "missing" : $"{Shown(text)}, not {Digest.Allowed}")}");

    /// <summary>A word from outside, short and without control characters, for a message.</summary>
    public static string Shown(string text) => $"'{Plain(Label.Clip(text))}'";

    /// <summary>A text that may have something from outside in it: nothing that moves a terminal's cursor or turns its text
    /// round.</summary>
    public static string Plain(string text) =>
        new([.. text.Take(MaxText).Select(c => char.IsControl(c) || char.GetUnicodeCategory(c) is UnicodeCategory.Format ? '?' : c)]);

    /// <summary>The registry, or who speaks for it, says what cannot be.</summary>
    public static McpException Wrong(string what, Exception? cause = null) =>
        new(
            ErrorCode.ImagePull,
            what,
            "the image or its registry is damaged, or not to be trusted; push the image again, or name another registry",
            cause);

    private static List<PlatformManifest> Platforms(IReadOnlyList<OciDescriptor?> platforms)
    {
        if (platforms.Count > MaxPlatforms)
            throw Wrong($"the index lists {platforms.Count} images; {MaxPlatforms} are allowed");
        return [.. platforms.Select(p => new PlatformManifest(DigestIn(p), Name(p!.Platform?.Os), Name(p.Platform?.Architecture)))];
    }

    // One of another algorithm is no matter as long as it is another platform's.
    private static Digest? DigestIn(OciDescriptor? image) =>
        image?.Digest is { } digest && Digest.IsOther(digest) ? null : Check(image, "an image of the index", MaxDocumentBytes).Digest;

    private static Blob Config(OciDescriptor config)
    {
        if (config.MediaType is { } type && !s_configs.Contains(type))
            throw Wrong($"the configuration is of the type {Shown(type)}: this is not a container image");
        return Check(config, "the configuration", MaxDocumentBytes);
    }

    private List<LayerBlob> Layers(IReadOnlyList<OciDescriptor?> layers)
    {
        if (layers.Count > MaxLayers)
            throw Wrong($"the image has {layers.Count} layers; {MaxLayers} are allowed");
        var all = new List<LayerBlob>();
        foreach (var layer in layers)
        {
            var blob = Check(layer, "a layer", maxBytes);
            var type = layer!.MediaType ?? throw Wrong("a layer's type is missing");
            if (!s_layers.TryGetValue(type, out var packing))
                throw Wrong($"a layer is of the type {Shown(type)}, not a packed file system");
            all.Add(new LayerBlob(blob.Digest, blob.Size, packing));
        }

        return all.Sum(l => l.Size) <= maxBytes ? all : throw Allowance.TooLarge(maxBytes);
    }

    private static Blob Check(OciDescriptor? descriptor, string what, long max)
    {
        if (descriptor is null)
            throw Wrong($"{what} is null");
        var digest = DigestOf(descriptor.Digest, $"the digest of {what}");
        return descriptor.Size switch
        {
            null => throw Wrong($"the size of {what} is missing"),
            < 0 => throw Wrong($"the size of {what} is negative"),
            var size when size > max && max == MaxDocumentBytes => throw Wrong($"{what} is {size} bytes large; {max} are allowed"),
            var size when size > max => throw Allowance.TooLarge(max),
            { } size => new Blob(digest, size),
        };
    }

    private static string? Name(string? text) =>
        text is { Length: > 0 and <= MaxPlatformName } && text.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-')
            ? text
            : null;

    private static T Parse<T>(ReadOnlySpan<byte> bytes, string what, JsonTypeInfo<T> type)
        where T : class
    {
        try
        {
            return JsonSerializer.Deserialize(bytes, type) ?? throw Wrong($"the registry's {what} is null");
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // The text of such an exception names types of this program.
            var place = e is JsonException { Path: { Length: > 1 } path } ? $", at {Shown(path)}" : "";
            throw Wrong($"the registry's {what} is not the JSON that it should be{place}", e);
        }
    }
}
