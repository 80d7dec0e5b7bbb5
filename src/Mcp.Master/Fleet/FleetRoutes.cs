using Grpc.Core;
using Mcp.Master.Nodes;
using Mcp.Master.Store;
using Mcp.Model.Names;
using Mcp.Model.Placement;
using Mcp.Protocol.V1;

namespace Mcp.Master.Fleet;

/// <summary>The edge nodes' routes; of a node that is silent what is written down.</summary>
public sealed class FleetRoutes(AgentPool agents, MasterStore store)
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(2);

    public async Task<ListEdgeRoutesReply> ListAsync(CancellationToken ct)
    {
        var reply = new ListEdgeRoutesReply();
        var known = store.EdgeRoutes.List();
        foreach (var (node, told, problem) in await Task.WhenAll(store.Nodes.List()
            .Where(n => n.Key.Length > 0 && n.Roles.Contains(NodeRole.Edge))
            .Select(n => AskAsync(n, ct))))
        {
            if (problem is not null)
                reply.Unreachable.Add(problem);
            var routes = told?.Routes.ToList() ?? [];
            reply.Routes.AddRange(routes);
            reply.Routes.AddRange(known.Where(k => k.Node == node && routes.TrueForAll(r => r.Hostname != k.Hostname.Text))
                .Select(k => Missing(k, problem is null ? "not there" : "its node does not answer")));
        }

        var listed = reply.Routes.Select(r => r.Hostname).ToHashSet();
        reply.Routes.AddRange(known.Where(k => !listed.Contains(k.Hostname.Text))
            .Select(k => Missing(k, "its node is no longer an edge node")));
        var sorted = reply.Routes.OrderBy(r => r.Hostname, StringComparer.Ordinal).ToList();
        reply.Routes.Clear();
        reply.Routes.AddRange(sorted);
        return reply;
    }

    private async Task<(Label Node, ListEdgeRoutesReply? Told, NodeProblem? Problem)> AskAsync(StoredNode node, CancellationToken ct)
    {
        try
        {
            return (node.Name, await agents.Of(node).ListEdgeRoutesAsync(new ListEdgeRoutesRequest(), agents.Within(s_limit, ct)), null);
        }
        catch (RpcException e) when (!ct.IsCancellationRequested)
        {
            return (node.Name, null, new NodeProblem { Node = node.Name.Text, What = AgentPool.Explain(node.Name, e).Message });
        }
    }

    private static EdgeRoute Missing(StoredEdgeRoute route, string problem)
    {
        var told = new EdgeRoute
        {
            Hostname = route.Hostname.Text,
            Service = route.Service.Text,
            Node = route.Node.Text,
            Problem = problem,
        };
        if (route.CertificateExpires is { } expires)
            told.Certificate = new EdgeCertificate { Expires = Google.Protobuf.WellKnownTypes.Timestamp.FromDateTimeOffset(expires) };
        return told;
    }
}
