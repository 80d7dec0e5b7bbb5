using System.Globalization;
using System.Net;
using Grpc.Core;
using Mcp.Master.Nodes;
using Mcp.Master.Store;
using Mcp.Model.Definition;
using Mcp.Model.Errors;
using Mcp.Model.Names;
using Mcp.Model.Placement;
using Mcp.Protocol.Histories;
using Mcp.Protocol.V1;

namespace Mcp.Master.Edge;

/// <summary>The fleet's edge nodes as one: chooses the node for each hostname, tells it, and remembers.</summary>
/// <param name="resolver">address:port of the DNS server that knows the services' names; empty: the edge nodes have their own.</param>
public sealed class EdgeCoordinator(NodeDirectory nodes, AgentPool agents, MasterStore store, Hostname zone, string resolver) : IEdge
{
    // A certificate may have to be got first, from a CA that takes its time.
    private static readonly TimeSpan s_limit = TimeSpan.FromMinutes(3);
    private static readonly TimeSpan s_quick = TimeSpan.FromSeconds(15);

    /// <summary>The hostnames of a service's public routes.</summary>
    public static IReadOnlyList<Hostname> PublicOf(ServiceDefinition service) =>
        [.. service.Components.SelectMany(c => c.Routes).Where(r => r is { Public: true, Hostname: not null }).Select(r => r.Hostname!)];

    public void Check(ServiceDefinition service)
    {
        if (service.Components.SelectMany(c => c.Routes).FirstOrDefault(r => r is { Public: true, Mode: RouteMode.L4 }) is { } passed)
        {
            throw new McpException(
                ErrorCode.EdgeL4,
                $"the public route {passed.Hostname} of {service.Name} is l4; edge nodes serve l7 routes only",
                "mode = \"l7\", or public = false");
        }

        var hostnames = PublicOf(service);
        var candidates = hostnames.Count == 0 ? [] : Candidates();
        foreach (var hostname in hostnames)
            _ = EdgePlacer.Place(hostname, candidates, store.EdgeRoutes.Find(hostname)?.Node);
    }

    public async Task<IReadOnlyList<string>> SetAsync(Label service, IReadOnlyList<Hostname> hostnames, Label node, CancellationToken ct)
    {
        var later = new List<string>();
        McpException? first = null;
        // One whose certificate cannot be got keeps no other from being served.
        foreach (var hostname in hostnames)
        {
            try
            {
                if (await SetAsync(service, hostname, node, ct) is { } trouble)
                    later.Add($"{trouble}; it gets the route for {hostname} when it is back");
            }
            catch (McpException e)
            {
                first ??= e;
            }
        }

        if (first is not null)
            throw first;
        foreach (var gone in store.EdgeRoutes.Of(service).Where(r => !hostnames.Contains(r.Hostname)))
            await RemoveAsync(gone, ct);
        return later;
    }

    public async Task<string?> StillElsewhereAsync(Label service, Label node, CancellationToken ct)
    {
        foreach (var route in store.EdgeRoutes.Of(service))
        {
            if (store.Nodes.Find(route.Node) is not { Key.Length: > 0 } at || !nodes.IsReachable(at))
                continue;
            try
            {
                var told = (await agents.Of(at)
                    .ListEdgeRoutesAsync(
                        new ListEdgeRoutesRequest(),
                        agents.Within(s_quick, ct))).Routes.FirstOrDefault(r => r.Hostname == route.Hostname.Text);
                if (told is not null && told.Backend != Backend(service, node))
                    return $"{route.Node} still sends {route.Hostname} to {Label.Clip(told.Backend)}";
            }
            catch (RpcException) when (!ct.IsCancellationRequested)
            {
                // Silent: as one that is away.
            }
        }

        return null;
    }

    public async Task RemoveAsync(Label service, CancellationToken ct)
    {
        foreach (var route in store.EdgeRoutes.Of(service))
            await RemoveAsync(route, ct);
    }

    public List<EdgeCandidate> Candidates()
    {
        var counts = store.EdgeRoutes.List().GroupBy(r => r.Node).ToDictionary(g => g.Key, g => g.Count());
        return store.Nodes.List()
            .FindAll(n => n.Key.Length > 0 && n.Roles.Contains(NodeRole.Edge))
            .ConvertAll(n => new EdgeCandidate(n.Name, nodes.IsReachable(n), n.Facts?.Edge == true, counts.GetValueOrDefault(n.Name)));
    }

    // What keeps a node from hearing of a route that it has already; null: it has heard.
    private async Task<string?> SetAsync(Label service, Hostname hostname, Label node, CancellationToken ct)
    {
        var there = store.EdgeRoutes.Find(hostname);
        // Of a service that was undeployed while its edge node was away.
        if (there is not null && there.Service != service)
        {
            await RemoveAsync(there, ct);
            there = null;
        }

        var edge = EdgePlacer.Place(hostname, Candidates(), there?.Node);
        var number = store.NextRequest();
        var request = new EdgeRouteRequest
        {
            Hostname = hostname.Text,
            Service = service.Text,
            Backend = Backend(service, node),
            Resolver = resolver,
            Sequence = number.Sequence,
            Standing = number.Standing?.ToWire(),
        };
        store.EdgeRoutes.Set(new StoredEdgeRoute(hostname, service, edge, there?.Node == edge ? there.CertificateExpires : null));
        try
        {
            var set = await agents.Of(nodes.Get(edge)).SetupEdgeRouteAsync(request, agents.Within(s_limit, ct));
            store.EdgeRoutes.Set(new StoredEdgeRoute(hostname, service, edge, EndOf(set.Certificate)));
            return null;
        }
        catch (RpcException e) when (!ct.IsCancellationRequested)
        {
            var problem = AgentPool.Explain(edge, e);
            // It refused, and has nothing. Silence says nothing: it may have it.
            if (there is null && problem.Code != ErrorCode.NodeUnreachable)
                store.EdgeRoutes.Remove(hostname);
            // A dead edge node must not keep services from moving: it follows their names by itself when it is back. What it never
            // had, nobody is let in by.
            var had = there is { CertificateExpires: not null } && there.Node == edge;
            return had && problem.Code == ErrorCode.NodeUnreachable ? problem.Message : throw problem;
        }
    }

    private async Task RemoveAsync(StoredEdgeRoute route, CancellationToken ct)
    {
        // A node that was removed has nothing of ours any more.
        if (store.Nodes.Find(route.Node) is { Key.Length: > 0 } edge)
            await RemoveAsync(edge, route.Hostname, route.Service, ct);
        store.EdgeRoutes.Remove(route.Hostname);
    }

    /// <summary>Of one edge node, whatever is written down.</summary>
    /// <exception cref="McpException">node.*</exception>
    internal async Task RemoveAsync(StoredNode edge, Hostname hostname, Label service, CancellationToken ct)
    {
        try
        {
            var number = store.NextRequest();
            var request = new EdgeRouteRequest
            {
                Hostname = hostname.Text,
                Service = service.Text,
                Sequence = number.Sequence,
                Standing = number.Standing?.ToWire(),
            };
            await agents.Of(edge).RemoveEdgeRouteAsync(request, agents.Within(s_quick, ct));
        }
        catch (RpcException e) when (!ct.IsCancellationRequested)
        {
            throw AgentPool.Explain(edge.Name, e);
        }
    }

    /// <summary>As an edge node says it; null: it says none, or one that no time is.</summary>
    internal static DateTimeOffset? EndOf(EdgeCertificate? certificate)
    {
        try
        {
            return certificate?.Expires?.ToDateTimeOffset();
        }
        catch (InvalidOperationException)
        {
            return null;
        }
    }

    /// <summary>Where an edge node finds the service while it is on that node.</summary>
    /// <exception cref="McpException">edge.backend</exception>
    internal string Backend(Label service, Label node) => IPEndPoint.TryParse(nodes.Get(node).Facts?.Overlay ?? "", out var proxy)
        ? string.Create(CultureInfo.InvariantCulture, $"https://{service}.{zone}:{proxy.Port}")
        : throw new McpException(
            ErrorCode.EdgeBackend,
            $"{node} runs {service} but does not listen for edge nodes",
            "set overlay = \"ADDRESS:8444\" in [proxy] of its agent.toml, and restart its agent");
}
