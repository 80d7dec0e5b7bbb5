using Mcp.Daemon.Operations;
using Mcp.Master.Store;
using Mcp.Model.Errors;
using Mcp.Model.Events;
using Mcp.Model.Names;
using Mcp.Model.Revisions;

namespace Mcp.Master.Deploy;

/// <summary>Deploys whose agent fell silent before it answered: when it is back, what it has accepted all the same is written down, before
/// anything is done with what was known before.</summary>
public sealed class PendingPlacements(NodeDefinitions running, MasterStore store, ServiceLocks locks)
{
    public Task LookAsync(CancellationToken ct) =>
        Task.WhenAll(store.Placements.List()
            .Where(p => p.Target is not null)
            .GroupBy(p => p.Target!)
            .Select(n => LookAsync(n.Select(p => p.Service), ct)));

    // Those of one node, one after the other.
    private async Task LookAsync(IEnumerable<Label> services, CancellationToken ct)
    {
        foreach (var service in services)
        {
            using var held = locks.TryTake(service);
            // Somebody is changing it, or goes on with it by itself.
            if (held is not null
                && store.Operations.Open().All(o => o.Subject != service.Text)
                && store.Placements.Find(service) is { } there)
            {
                await LookAsync(there, ct);
            }
        }
    }

    // Otherwise it is what was to be removed there before.
    private static bool IsAsked(Placement there, Revision kept) =>
        there.TryRead() is not null && there.Revision.IsSame(kept);

    // Of a move its names still lead to the old node, which goes on serving: only its operator knows whether it is still to move.
    private async Task LookAsync(Placement there, CancellationToken ct)
    {
        if (there.Target is not { } target || (there.Node ?? target) != target)
            return;
        // As before: the agent may still be at it.
        if (await running.OnAsync(target, there.Service, ct) is not { } kept || (there.Node is not null && kept.Equals(there.Revision)))
            return;
        if (kept.TryRead(there.Service) is not { } service)
            return;
        if (store.Leftovers.IsLeftAt(there.Service, target.Text) && !IsAsked(there, kept))
            return;
        try
        {
            store.Placements.Accept(service, target, kept);
            store.Releases.TookEffect(there.Service, kept.AsAsked());
            store.Events.Add(there.Service.Text, "", EventKind.DeployAccepted, $"{target} had accepted it before it fell silent");
        }
        catch (McpException)
        {
            // Another service has one of its hostnames by now: it stays undecided until its operator deploys it again.
        }
    }
}
