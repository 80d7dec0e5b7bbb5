using Mcp.Machine;
using Mcp.Model.Errors;
using Mcp.Model.Names;

namespace Mcp.Runtimes.Images;

/// <summary>Which machines an image is there for, asked of its registry; nothing is pulled.</summary>
/// <param name="authFile">Logins of registries; null: where podman keeps them.</param>
public sealed class ImageArchitectures(string? authFile)
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(8);

    /// <exception cref="McpException">image.architectures: the registry does not say.</exception>
    public async Task<IReadOnlyList<string>> OfAsync(ImageReference image, CancellationToken ct)
    {
        using var limit = new Within(s_limit, ct);
        try
        {
            // Nothing is downloaded, so of any size.
            using var registry = new RegistryClient(image, new RegistryCredentials(authFile), long.MaxValue / OciReader.MaxLayers);
            return await registry.ArchitecturesAsync(limit.Token);
        }
        catch (McpException e)
        {
            throw new McpException(ErrorCode.ImageArchitectures, $"cannot ask for the architectures of {image}: {e.Message}", e.Hint, e);
        }
        catch (OperationCanceledException e) when (!ct.IsCancellationRequested)
        {
            throw new McpException(
                ErrorCode.ImageArchitectures,
                $"cannot ask for the architectures of {image}: no answer within {s_limit.TotalSeconds} s",
                "is the registry reachable from this node?",
                e);
        }
    }
}
