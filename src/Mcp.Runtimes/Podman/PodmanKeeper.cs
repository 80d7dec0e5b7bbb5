using Mcp.Model.Errors;

namespace Mcp.Runtimes.Podman;

/// <summary>Asks podman's service a real question again and again. What gives none but bad answers is ended and started anew: it is no
/// parent of containers, they run on.</summary>
internal sealed class PodmanKeeper(PodmanSocket socket, LibpodClient client)
{
    private const int MostBad = 3;
    private static readonly TimeSpan s_every = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan s_answer = TimeSpan.FromSeconds(5);

    public async Task RunAsync(Action<string> replaced, CancellationToken ct)
    {
        for (var bad = 0; !ct.IsCancellationRequested;)
        {
            await Task.Delay(s_every, ct);
            if (await FaultAsync(ct) is not { } why)
            {
                bad = 0;
                continue;
            }

            if (++bad < MostBad || !await socket.EndServiceAsync(ct))
                continue;
            bad = 0;
            replaced($"podman's service was ended and is started anew: {why}");
        }
    }

    // Null: it answers.
    private async Task<string?> FaultAsync(CancellationToken ct)
    {
        try
        {
            await client.GetAsync("/containers/json?limit=1&all=true", LibpodJson.Default.LibpodListedArray, s_answer, ct);
            return null;
        }
        catch (Exception e) when (e is LibpodException or McpException && !ct.IsCancellationRequested)
        {
            return e.Message;
        }
    }
}
