using Mcp.Agent.Deploy;
using Mcp.Agent.Disks;
using Mcp.Agent.Proxy;
using Mcp.Agent.Registry;
using Mcp.Daemon.Identity;
using Mcp.Model.Names;

namespace Mcp.Agent.Overview;

/// <summary>The node as others see it, when they ask and in its heartbeats.</summary>
public sealed class NodeView(
    AgentConfig config,
    ComponentsTable components,
    RuntimeSet runtimes,
    INodeProxy proxy,
    ExpiryWatch endings,
    NodeDisks disks)
{
    public Label Name => config.Name;

    /// <summary>Asks the runtimes, which starts programs.</summary>
    public async Task<NodeFacts> FactsAsync(CancellationToken ct)
    {
        var found = new List<RuntimeFacts>();
        foreach (var runtime in runtimes.All)
            found.Add(new RuntimeFacts(runtime.Name, await runtime.ProbeAsync(ct)));
        await disks.LookAsync(ct);
        return new NodeFacts
        {
            Node = Name,
            Version = typeof(NodeView).Assembly.GetName().Version?.ToString(3) ?? "",
            Zone = config.Zone,
            Overlay = config.Proxy.Overlay?.ToString(),
            IsEdge = config.Edge is not null,
            ProxyAnswers = await proxy.AnswersAsync(ct),
            ProxyFault = proxy.Fault,
            Runtimes = found,
            Machine = MachineFacts.Read(config.State),
            Disks = disks.All,
            Services = CountServices(),
            Endings = [.. endings.All],
        };
    }

    /// <summary>The same a little later: looks again at what changes often and costs nothing to look at.</summary>
    public NodeFacts Anew(NodeFacts facts) => facts with
    {
        Machine = MachineFacts.Read(config.State),
        Disks = disks.All,
        Services = CountServices(),
        Endings = [.. endings.All],
    };

    private int CountServices() => components.List().Select(c => c.Service).Distinct().Count();
}
