using Mcp.Daemon.Operations;
using Mcp.Master.Dns;
using Mcp.Master.Nodes;

namespace Mcp.Master.Deploy.Steps;

/// <summary>Names the service and each of its components after the node's overlay address.</summary>
/// <param name="dns">Null: not configured.</param>
public sealed class DnsStep(NodeDirectory nodes, IDnsProvider? dns) : IStep<FleetDeployment>
{
    public string Name => "dns";

    public async Task<FleetDeployment> RunAsync(FleetDeployment state, IProgress<string> progress, CancellationToken ct)
    {
        if (dns is null)
            return state;
        var address = ServiceNames.Address(nodes.Get(state.At));
        foreach (var name in ServiceNames.Of(state.Service))
            await dns.SetAsync(name, address, ct);
        return state;
    }

    public async Task UndoAsync(FleetDeployment state, CancellationToken ct)
    {
        foreach (var name in dns is null ? [] : ServiceNames.Of(state.Service))
            await dns!.RemoveAsync(name, ct);
    }

    public string Sum(FleetDeployment state) => dns is null ? "not configured" : dns.Name;
}
