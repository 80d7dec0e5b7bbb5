using Google.Protobuf.WellKnownTypes;
using Mcp.Model.Names;
using Mcp.Protocol.V1;

namespace Mcp.Agent.Rpc;

/// <summary>The node as others see it, when they ask and in its heartbeats.</summary>
internal static class NodeView
{
    /// <param name="service">Only this one; null: all.</param>
    public static StatusReply Status(AgentParts node, Label? service)
    {
        var observed = node.Reconciler.Observed.ToDictionary(o => o.Name);
        var reply = new StatusReply { Node = node.Config.Name.Text };
        reply.Components.AddRange(node.Registry.Components.List(service).Select(c => c.ToWire(observed.GetValueOrDefault(c.Instance), node)));
        reply.Drift.AddRange(node.Reconciler.Drift.Where(d => service is null || d.Service == service).Select(d => d.ToWire()));
        return reply;
    }

    public static async Task<NodeStatusReply> FactsAsync(AgentParts node, CancellationToken ct)
    {
        var reply = NodeFacts.Read(node.Config);
        reply.Version = typeof(NodeView).Assembly.GetName().Version?.ToString(3) ?? "";
        reply.Services = node.Registry.Components.List().Select(c => c.Service).Distinct().Count();
        reply.Proxy = await node.Proxy.AnswersAsync(ct);
        reply.Endings.AddRange(Endings(node));
        foreach (var runtime in node.Runtimes.All)
            reply.Runtimes.Add((await runtime.ProbeAsync(ct)).ToWire(runtime.Name));
        return reply;
    }

    public static IEnumerable<Ending> Endings(AgentParts node)
    {
        var now = node.Time.GetUtcNow();
        return node.Endings.All.Select(e => new Ending { What = e.What, End = e.End.ToTimestamp(), Near = e.IsNear(now), Hint = e.Hint });
    }
}
