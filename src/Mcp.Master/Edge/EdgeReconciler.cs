using Mcp.Daemon.Errors;
using Mcp.Daemon.Events;
using Mcp.Daemon.Lifecycle;
using Mcp.Daemon.Operations;
using Mcp.Master.Nodes;
using Mcp.Master.Store;
using Mcp.Model.Events;
using Mcp.Model.Names;
using Mcp.Model.Placement;

namespace Mcp.Master.Edge;

/// <summary>Keeps the edge nodes equal to the placements: sets up what is missing there, or lies on a node that is none any more; removes
/// what nobody wants. Services that are being changed are left alone.</summary>
public sealed class EdgeReconciler(
    EdgeCoordinator edge,
    NodeDirectory nodes,
    AgentPool agents,
    MasterStore store,
    ServiceLocks locks,
    TimeProvider time)
{
    private static readonly TimeSpan s_period = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan s_cleaning = TimeSpan.FromSeconds(10);

    // What an edge node says it has; the rest waits until some of that is gone.
    private const int MostRoutes = 10_000;
    private readonly Troubles _troubles = new(store.Events, over: EventKind.EdgeWell, EventKind.EdgeFailed);

    // Of removing what nobody wants, in this round.
    private readonly Dictionary<Label, TimeSpan> _spent = [];

    public Task RunAsync(CancellationToken ct) => Supervise.EachAsync(s_period, MendAsync, time, ct);

    public async Task MendAsync(CancellationToken ct)
    {
        _spent.Clear();
        var told = await AskAsync(ct);
        var there = told.SelectMany(n => n.Value.Select(r => (Node: n.Key, Route: r))).ToList();
        var services = store.Placements.List().Where(IsPublic).Select(p => p.Service)
            .Concat(store.EdgeRoutes.List().Select(r => r.Service))
            .Concat(there.Select(t => Label.TryParse(t.Route.Service, out var s) ? s : null))
            .OfType<Label>()
            .Distinct()
            .ToList();
        _troubles.OverExcept(services.Select(TroubleKey.Of).ToHashSet(), "it no longer has a public hostname");
        foreach (var service in services)
        {
            using var held = locks.TryTake(service);
            var placement = store.Placements.Find(service);
            // Being changed, or not yet anywhere: its deploy knows better.
            if (held is null || placement is { Node: null })
                continue;
            await MendAsync(service, placement, told, ct);
        }
    }

    // Nobody can say of one that cannot be read.
    private static bool IsPublic(Placement placement) =>
        placement.TryRead() is not { } service || EdgeCoordinator.PublicOf(service).Count > 0;

    // What each edge node that answers has.
    private async Task<Dictionary<Label, List<Protocol.V1.EdgeRoute>>> AskAsync(CancellationToken ct)
    {
        var asked = await Task.WhenAll(store.Nodes.List().Where(n => n.Key.Length > 0
            && n.Roles.Contains(NodeRole.Edge)
            && nodes.IsReachable(n)).Select(async n =>
        {
            try
            {
                return (n.Name, Routes: (List<Protocol.V1.EdgeRoute>?)[.. (await agents.Of(n)
                    .ListEdgeRoutesAsync(new Protocol.V1.ListEdgeRoutesRequest(), agents.Within(s_limit, ct))).Routes.Take(MostRoutes)]);
            }
            catch (Grpc.Core.RpcException) when (!ct.IsCancellationRequested)
            {
                return (n.Name, null);
            }
        }));
        return asked.Where(a => a.Routes is not null).ToDictionary(a => a.Name, a => a.Routes!);
    }

    private async Task MendAsync(
        Label service,
        Placement? placement,
        Dictionary<Label, List<Protocol.V1.EdgeRoute>> told,
        CancellationToken ct)
    {
        IReadOnlyList<Hostname> wanted = [];
        if (placement is not null)
        {
            // This version cannot read which hostnames it has: they stay as they are.
            if (placement.TryRead() is not { } stored)
                return;
            wanted = EdgeCoordinator.PublicOf(stored);
        }

        var known = store.EdgeRoutes.Of(service);
        try
        {
            foreach (var (at, route) in told.SelectMany(n => n.Value.Where(r => r.Service == service.Text).Select(r => (n.Key, r))))
                await CheckAsync(service, wanted, at, route, ct);
            if (placement is { Node: { } node })
                await SetAsync(service, wanted, node, known, told, ct);
            else if (known.Count > 0)
                await edge.RemoveAsync(service, ct);

            _troubles.Over(TroubleKey.Of(service));
        }
        catch (Exception e) when (!ct.IsCancellationRequested)
        {
            // Whatever it is, the other services go on.
            _troubles.Tell(TroubleKey.Of(service), FailureText.Of(e));
        }
    }

    private async Task SetAsync(
        Label service,
        IReadOnlyList<Hostname> wanted,
        Label node,
        List<StoredEdgeRoute> known,
        Dictionary<Label, List<Protocol.V1.EdgeRoute>> told,
        CancellationToken ct)
    {
        var missing = wanted
            .Where(h => known.Find(r => r.Hostname == h) is not { } route || IsMissing(route, edge.Backend(service, node), told))
            .ToList();
        if (missing.Count == 0 && known.TrueForAll(r => wanted.Contains(r.Hostname)))
            return;
        await edge.SetAsync(service, wanted, node, ct);
        missing.ForEach(h => store.Events.Add(service.Text, "", EventKind.EdgeMended, $"{h} on {store.EdgeRoutes.Find(h)?.Node}"));
    }

    // Its node is gone for good, or answers and has it not, or not so. One that is silent is waited for.
    private bool IsMissing(StoredEdgeRoute route, string backend, Dictionary<Label, List<Protocol.V1.EdgeRoute>> told) =>
        store.Nodes.Find(route.Node) is not { Key.Length: > 0 } node
            || !node.Roles.Contains(NodeRole.Edge)
            || (told.TryGetValue(route.Node, out var there)
                && there.TrueForAll(r => r.Hostname != route.Hostname.Text || r.Backend != backend));

    // Of what is there: whose it is, and until when its certificate is good.
    private async Task CheckAsync(
        Label service,
        IReadOnlyList<Hostname> wanted,
        Label node,
        Protocol.V1.EdgeRoute route,
        CancellationToken ct)
    {
        if (!Hostname.TryParse(route.Hostname, out var hostname) || store.Nodes.Find(node) is not { } there)
            return;
        var known = store.EdgeRoutes.Find(hostname);
        if (wanted.Contains(hostname) && (known is null || known.Service != service || known.Node == node))
            store.EdgeRoutes.Set(new StoredEdgeRoute(hostname, service, node, EdgeCoordinator.EndOf(route.Certificate)));
        else if (known is null || known.Node != node || known.Service != service)
            await RemoveAsync(there, hostname, service, ct);
    }

    // One that refuses, does not answer, or takes long is left until the next round: thousands of names would hold up all the others.
    private async Task RemoveAsync(StoredNode there, Hostname hostname, Label service, CancellationToken ct)
    {
        var spent = _spent.GetValueOrDefault(there.Name);
        if (spent > s_cleaning)
            return;
        var started = time.GetTimestamp();
        _spent[there.Name] = TimeSpan.MaxValue;
        await edge.RemoveAsync(there, hostname, service, ct);
        _spent[there.Name] = spent + time.GetElapsedTime(started);
    }
}
