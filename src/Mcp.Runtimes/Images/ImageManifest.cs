namespace Mcp.Runtimes.Images;

/// <summary>A registry's answer for a reference, checked: one image, or a list of them for several platforms.</summary>
internal abstract record ManifestDocument
{
    public sealed record OneImage(ImageManifest Manifest) : ManifestDocument;

    public sealed record Platforms(IReadOnlyList<PlatformManifest> All) : ManifestDocument;
}

/// <param name="Layers">From the lowest to the highest.</param>
internal sealed record ImageManifest(Blob Config, IReadOnlyList<LayerBlob> Layers);

/// <param name="Digest">Null: of another algorithm than ours.</param>
/// <param name="Os">Null: the index does not say, or not in plain letters; so too the architecture.</param>
internal sealed record PlatformManifest(Digest? Digest, string? Os, string? Architecture);

internal record Blob(Digest Digest, long Size);

internal sealed record LayerBlob(Digest Digest, long Size, LayerPacking Packing) : Blob(Digest, Size);

internal enum LayerPacking { None, Gzip, Zstd }
