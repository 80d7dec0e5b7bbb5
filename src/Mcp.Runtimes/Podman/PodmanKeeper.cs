using Mcp.Model.Errors;

namespace Mcp.Runtimes.Podman;

/// <summary>Asks podman's service a real question again and again. What gives none but bad answers is ended and started anew: it is no
/// parent of containers, they run on.</summary>
internal sealed class PodmanKeeper(PodmanSocket socket, LibpodClient client)
{
    private const int MostBad = 3;

    // Of one that answers something easier: it has much to do.
    private const int MostSlow = 24;
    private static readonly TimeSpan s_every = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan s_answer = TimeSpan.FromSeconds(5);

    public async Task RunAsync(Action<string> replaced, CancellationToken ct)
    {
        for (var (bad, slow) = (0, 0); !ct.IsCancellationRequested;)
        {
            await Task.Delay(s_every, ct);
            if (await FaultAsync(ct) is not { } fault)
            {
                (bad, slow) = (0, 0);
                continue;
            }

            var (why, isSlow) = fault;
            (bad, slow) = isSlow ? (0, slow + 1) : (bad + 1, slow);
            if ((bad < MostBad && slow < MostSlow) || !await socket.EndServiceAsync(ct))
                continue;
            (bad, slow) = (0, 0);
            replaced($"podman's service was ended and is started again: {why}");
        }
    }

    // Null: it answers.
    private async Task<(string Why, bool IsSlow)?> FaultAsync(CancellationToken ct)
    {
        try
        {
            await client.GetAsync("/containers/json?limit=1&all=true", LibpodJson.Default.LibpodListedArray, s_answer, ct);
            return null;
        }
        catch (Exception e) when (e is LibpodException or McpException && !ct.IsCancellationRequested)
        {
            // It hangs, or it cannot answer in time; what it answers badly is another matter.
            return (e.Message, e is LibpodException { Status: 0 } && await IsThereAsync(ct));
        }
    }

    private async Task<bool> IsThereAsync(CancellationToken ct)
    {
        try
        {
            await client.CallAsync(HttpMethod.Get, "/_ping", s_answer, ct);
            return true;
        }
        catch (Exception e) when (e is LibpodException or McpException && !ct.IsCancellationRequested)
        {
            return false;
        }
    }
}
