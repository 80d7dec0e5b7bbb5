using Grpc.Core;
using Mcp.Daemon.Operations;
using Mcp.Master.Deploy.Steps;
using Mcp.Master.Nodes;
using Mcp.Master.Store;
using Mcp.Model.Errors;
using Mcp.Model.Names;
using Mcp.Protocol.Errors;
using Mcp.Protocol.V1;

namespace Mcp.Master.Deploy;

/// <summary>Takes a deploy back that is under way: here, as long as it has not come to a node; there, once it has.</summary>
public sealed class FleetCancellation(ServiceLocks locks, NodeDirectory nodes, AgentPool agents, MasterStore store)
{
    private static readonly TimeSpan s_again = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan s_undo = TimeSpan.FromMinutes(29);

    /// <summary>Ends when it is taken back.</summary>
    /// <exception cref="McpException">operation.none, operation.late, service.unknown, node.*</exception>
    public async Task<OperationReply> CancelAsync(Label service, string by, CancellationToken ct)
    {
        // What was begun with --direct.
        if (locks.Of(service) is not { } work)
            return await AskAsync(service, by, ct) ?? throw Cancellation.Nothing(service);
        Cancellation.Check(service, work);
        work.Cancel(by);
        // The node may not have heard of it yet, so it is asked again.
        while (!work.Ended.IsCompleted && !(work.Step == AgentStep.StepName && await AskAsync(service, by, ct) is not null))
            await Task.WhenAny(work.Ended, Task.Delay(s_again, ct));
        return await Cancellation.TellAsync(service, work, ct);
    }

    // Null: nothing is being done there.
    private async Task<OperationReply?> AskAsync(Label service, string by, CancellationToken ct)
    {
        if (store.Placements.Find(service) is not { } there)
            return null;
        try
        {
            var request = new CancelRequest { Service = service.Text, By = by };
            return await agents.Of(nodes.Get(there.Home)).CancelAsync(request, agents.Within(s_undo, ct));
        }
        catch (RpcException e) when (ErrorTrailers.CodeOf(e) == ErrorCode.OperationNone)
        {
            return null;
        }
        catch (RpcException e) when (!ct.IsCancellationRequested)
        {
            throw AgentPool.Explain(there.Home, e);
        }
    }
}
