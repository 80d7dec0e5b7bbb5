using Mcp.Machine;
using Mcp.Model.Errors;
using Mcp.Model.Names;

namespace Mcp.Runtimes.Images;

/// <summary>What a registry has under a name now; nothing is pulled.</summary>
/// <param name="authFile">Logins of registries; null: where podman keeps them.</param>
public sealed class ImageDigests(string? authFile)
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(5);

    /// <summary>Digests of its manifest, and of the index that lists it, for this machine.</summary>
    /// <returns>Null: the registry does not say, or not in time.</returns>
    public async Task<IReadOnlyList<string>?> OfAsync(ImageReference image, CancellationToken ct)
    {
        using var limit = new Within(s_limit, ct);
        try
        {
            // Nothing is downloaded, so of any size.
            using var registry = new RegistryClient(image, new RegistryCredentials(authFile), long.MaxValue / OciReader.MaxLayers);
            return await registry.DigestsAsync(ImageStore.Architecture, limit.Token);
        }
        catch (McpException)
        {
            return null;
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            return null;
        }
    }
}
