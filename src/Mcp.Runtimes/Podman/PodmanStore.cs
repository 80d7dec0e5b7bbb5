using Mcp.Model.Errors;

namespace Mcp.Runtimes.Podman;

/// <summary>Where podman keeps its images. It takes podman long to say, and does not change.</summary>
internal sealed class PodmanStore(LibpodClient client)
{
    private static readonly TimeSpan s_limit = TimeSpan.FromMinutes(1);
    private volatile LibpodStore? _known;

    /// <returns>Null: it does not say.</returns>
    public async Task<LibpodStore?> WhereAsync(CancellationToken ct) =>
        _known ??= (await client.GetAsync("/info", LibpodJson.Default.LibpodInfo, s_limit, ct))?.Store;

    /// <summary>Before somebody waits for it.</summary>
    public async Task LearnAsync(CancellationToken ct)
    {
        try
        {
            await WhereAsync(ct);
        }
        catch (Exception e) when (e is LibpodException or McpException)
        {
            // Whoever needs it asks again.
        }
    }
}
