using Mcp.Model.Names;

namespace Mcp.Runtimes.Images;

/// <summary>Images of this machine that no registry has: those of podman.</summary>
/// <param name="FindAsync">The id of what a reference names; null: there is none.</param>
/// <param name="ExportAsync">Opens the image of an id as an OCI archive.</param>
/// <param name="LookAsync">See <see cref="IRuntime.LookAsync"/>.</param>
public sealed record LocalImages(
    Func<ImageReference, CancellationToken, Task<string?>> FindAsync,
    Func<string, CancellationToken, Task<Stream>> ExportAsync,
    Func<ImageReference, ImageWish, CancellationToken, Task<ImageLook?>> LookAsync);
