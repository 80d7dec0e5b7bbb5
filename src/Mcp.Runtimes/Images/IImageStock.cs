using Mcp.Model.Errors;
using Mcp.Model.Images;
using Mcp.Model.Names;

namespace Mcp.Runtimes.Images;

/// <summary>Where the images of a runtime lie on this node. Every implementation passes the ImageStockContract tests.</summary>
public interface IImageStock
{
    /// <summary>Of what instances are made of.</summary>
    ImageKind Kind { get; }

    /// <summary>All that are there, whoever brought them, with what is made of them.</summary>
    /// <exception cref="McpException">podman.failed</exception>
    Task<IReadOnlyList<HeldImage>> ListAsync(CancellationToken ct);

    /// <summary>The ids of all that are there, where others bring images, too; none in a store of mcp's own.</summary>
    /// <exception cref="McpException">podman.failed</exception>
    Task<IReadOnlyList<string>> IdsAsync(CancellationToken ct);

    /// <summary>The image that a reference names here now; empty: none.</summary>
    /// <exception cref="McpException">podman.failed</exception>
    Task<string> MeaningAsync(ImageReference reference, CancellationToken ct);

    /// <summary>Gives an image exactly these names of mcp's own, where the store knows names. Safe to repeat, also for one that is
    /// gone.</summary>
    /// <param name="names">SERVICE/COMPONENT:NUMBER</param>
    /// <exception cref="McpException">podman.failed</exception>
    Task NameAsync(HeldImage image, IReadOnlyCollection<string> names, CancellationToken ct);

    /// <summary>Removes an image that nothing uses and that has none but these references. A kill in between leaves nothing that counts as
    /// whole, and whoever repeats it finishes it.</summary>
    /// <returns>False: it stays, since something uses it or is being made of one just now.</returns>
    /// <exception cref="McpException">podman.failed</exception>
    Task<bool> RemoveAsync(HeldImage image, IReadOnlyCollection<string> references, CancellationToken ct);

    /// <summary>Removes what a kill has left half done, as far as nothing is being made.</summary>
    Task SweepAsync(CancellationToken ct);

    /// <summary>Whose file system the images are on; null: nobody says.</summary>
    Task<string?> DirectoryAsync(CancellationToken ct);
}
