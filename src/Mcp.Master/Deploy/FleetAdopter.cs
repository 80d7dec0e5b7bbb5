using Grpc.Core;
using Mcp.Daemon.Operations;
using Mcp.Master.Fleet;
using Mcp.Master.Nodes;
using Mcp.Master.Store;
using Mcp.Model.Errors;
using Mcp.Model.Names;
using Mcp.Model.Revisions;
using Mcp.Protocol.Revisions;
using Mcp.Protocol.V1;

namespace Mcp.Master.Deploy;

/// <summary>Places services that run somewhere and are not placed: deployed with --direct, or the master's database was lost.</summary>
public sealed class FleetAdopter(FleetView view, AgentPool agents, MasterStore store, FleetDeployer deployer, ServiceLocks locks)
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(10);

    /// <param name="only">Null: all but what was undeployed and could not be removed yet.</param>
    /// <param name="reply">Gets what was placed, and what could not be, each by itself.</param>
    public async Task AdoptAsync(Label? only, OperationReply reply, CancellationToken ct)
    {
        var known = store.Placements.List().Select(p => p.Service.Text).ToHashSet();
        var found = (await view.StatusAsync(null, ct)).Components.Where(c => !c.Stale
            && !known.Contains(c.Service)
            && (only is null || c.Service == only.Text));
        foreach (var service in found.GroupBy(c => c.Service).ToList())
        {
            try
            {
                var nodes = service.Select(c => c.Node).Distinct().Select(Label.Parse).ToList();
                reply.Done.Add(await AdoptAsync(Label.Parse(service.Key), nodes, asked: only is not null, ct));
            }
            catch (McpException e)
            {
                reply.Failed.Add($"{service.Key}: {e.Message}{(e.Hint.Length > 0 ? $"; {e.Hint}" : "")}");
            }
        }
    }

    private async Task<string> AdoptAsync(Label service, List<Label> nodes, bool asked, CancellationToken ct)
    {
        using var held = await locks.TakeAsync(service, ct);
        await deployer.FinishHeldAsync(service, ct);
        if (store.Placements.Find(service) is { } there)
            return $"{service} is placed on {there.Home} already";
        // Copies that are still to be removed are no reason to have it again, unless somebody says so.
        var wanted = nodes.Where(n => !store.Leftovers.IsLeftAt(service, n.Text)).ToList();
        if (wanted.Count > 0)
            nodes = wanted;
        else if (!asked)
        {
            throw new McpException(
                ErrorCode.AdoptUndeployed,
                $"it is to be removed from {string.Join(" and from ", nodes)}, which was not possible yet",
                $"mcp adopt {service} keeps it instead");
        }

        // Choosing one would make the other a copy to be removed.
        if (nodes.Count > 1)
        {
            throw new McpException(
                ErrorCode.AdoptSeveral,
                $"it runs on {string.Join(" and on ", nodes)}",
                "undeploy it with --direct where it is not to be");
        }

        var revision = await ShowAsync(nodes[0], service, ct);
        store.Placements.Accept(revision.Read(service), nodes[0], revision);
        return $"placed {service} on {nodes[0]}, where it runs";
    }

    private async Task<Revision> ShowAsync(Label name, Label service, CancellationToken ct)
    {
        var node = store.Nodes.Find(name) ?? throw new McpException(ErrorCode.NodeUnknown, $"the node {name} was removed meanwhile", "");
        try
        {
            return RevisionMapping.Read(await agents.Of(node)
                .ShowServiceAsync(new ServiceRequest { Service = service.Text }, agents.Within(s_limit, ct)));
        }
        catch (RpcException e) when (!ct.IsCancellationRequested)
        {
            throw AgentPool.Explain(name, e);
        }
    }
}
