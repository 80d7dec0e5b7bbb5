using System.Runtime.CompilerServices;
using Grpc.Core;
using Mcp.Daemon.Lifecycle;
using Mcp.Master.Nodes;
using Mcp.Master.Store;
using Mcp.Model.Errors;
using Mcp.Model.Names;
using Mcp.Protocol.Logs;
using Mcp.Protocol.V1;

namespace Mcp.Master.Rpc;

/// <summary>A service's logs, from the node where it is; followed, from each node that it moves to; of a service that is gone, from every
/// node that still has some.</summary>
internal sealed class FleetLogs(MasterParts master)
{
    // What a node's first line may take, where several are asked.
    private static readonly TimeSpan s_quick = TimeSpan.FromSeconds(10);

    /// <exception cref="McpException">service.unknown, agent.stopping, what the node says, node.unreachable</exception>
    public async Task SendAsync(
        LogsRequest request,
        IServerStreamWriter<LogLine> output,
        CancellationToken stopping,
        CancellationToken ct)
    {
        using var over = CancellationTokenSource.CreateLinkedTokenSource(ct, stopping);
        using var writing = new StopGrace(stopping, ct);
        var service = Label.Parse(request.Service);
        var placed = master.Store.Placements.Find(service);
        var lines = placed is null && request.Previous > 0
            ? LeftAsync(request, over.Token)
            : FromAsync(request, placed?.Seat ?? throw Unknown(request.Service), over.Token);
        try
        {
            await foreach (var line in lines)
                await output.WriteAsync(line, writing.Token);
        }
        catch (Exception e) when (stopping.IsCancellationRequested && !ct.IsCancellationRequested
            && e is McpException or OperationCanceledException)
        {
            throw new McpException(
                ErrorCode.AgentStopping,
                "the master is stopping; the log ends here",
                "the service runs on; ask again when the master is back, or its node with --direct");
        }
    }

    public static McpException Unknown(string service) => new(
        ErrorCode.ServiceUnknown,
        $"there is no service {service} in this fleet",
        "mcp list shows those that are; mcp adopt takes those that were deployed with --direct");

    // A node's log ends when the service has left it: it goes on where it is then, with all that was written there.
    private async IAsyncEnumerable<LogLine> FromAsync(LogsRequest request, Label seat, [EnumeratorCancellation] CancellationToken ct)
    {
        var service = Label.Parse(request.Service);
        var asked = request;
        for (Label? home = seat; home is not null;)
        {
            await foreach (var line in OfAsync(asked, home, ct))
                yield return line;
            var next = request.Follow ? master.Store.Placements.Find(service)?.Seat : null;
            home = next == home ? null : next;
            asked = new LogsRequest(request) { Tail = -1, Since = null };
        }
    }

    // No limit in time: a log may be followed for days. A dead connection is noticed by its keep-alive.
    private async IAsyncEnumerable<LogLine> OfAsync(LogsRequest request, Label home, [EnumeratorCancellation] CancellationToken ct)
    {
        using var call = master.Agents.Of(master.Nodes.Get(home)).Logs(request, cancellationToken: ct);
        while (await HasNextAsync())
        {
            var line = call.ResponseStream.Current;
            line.Node = home.Text;
            yield return line;
        }

        async Task<bool> HasNextAsync()
        {
            try
            {
                return await call.ResponseStream.MoveNext(ct);
            }
            catch (RpcException e)
            {
                throw AgentPool.Explain(home, e);
            }
        }
    }

    // Nobody knows any more where it was.
    private async IAsyncEnumerable<LogLine> LeftAsync(LogsRequest request, [EnumeratorCancellation] CancellationToken ct)
    {
        var nodes = master.Store.Nodes.List().Where(n => n.Address.Length > 0);
        var isNone = true;
        await foreach (var line in LogOrder.MergeAsync([.. nodes.Select(n => TriedAsync(request, n, ct))], ct))
        {
            isNone = false;
            yield return line;
        }

        if (isNone)
            throw Unknown(request.Service);
    }

    private async IAsyncEnumerable<LogLine> TriedAsync(
        LogsRequest request,
        StoredNode node,
        [EnumeratorCancellation] CancellationToken ct)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
        limit.CancelAfter(s_quick);
        await using var lines = OfAsync(request, node.Name, limit.Token).GetAsyncEnumerator(limit.Token);
        while (await HasNextAsync())
        {
            limit.CancelAfter(Timeout.InfiniteTimeSpan);
            yield return lines.Current;
        }

        // It is away, or has none.
        async Task<bool> HasNextAsync()
        {
            try
            {
                return await lines.MoveNextAsync();
            }
            catch (Exception e) when (e is McpException or OperationCanceledException && !ct.IsCancellationRequested)
            {
                return false;
            }
        }
    }
}
