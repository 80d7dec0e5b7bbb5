using Mcp.Model.Errors;

namespace Mcp.Runtimes.Images;

/// <summary>Where one image is read from. Nothing that it says is used unchecked.</summary>
internal interface IImageSource : IDisposable
{
    /// <summary>The manifest for this platform, and the name under which the image is kept.</summary>
    /// <exception cref="McpException">image.pull, image.architecture, image.too_large</exception>
    Task<(Digest Digest, ImageManifest Manifest)> ManifestAsync(string architecture, CancellationToken ct);

    /// <exception cref="McpException">image.pull</exception>
    Task<OciConfig> ConfigAsync(ImageManifest manifest, CancellationToken ct);

    /// <summary>What the manifest says and not a byte more, with the digest that it should have.</summary>
    /// <param name="output">Empty. Afterwards at its beginning.</param>
    /// <param name="here">Told how many bytes have come.</param>
    /// <exception cref="McpException">image.pull, disk.full</exception>
    Task BlobAsync(Blob blob, Stream output, DiskRoom room, Action<long>? here, CancellationToken ct);
}
