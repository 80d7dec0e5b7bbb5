using System.Net;
using Mcp.Daemon.Operations;
using Mcp.Master.Dns;
using Mcp.Master.Nodes;
using Mcp.Model.Names;

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
        var address = IPEndPoint.Parse(nodes.Get(Label.Parse(state.Node)).Address).Address;
        foreach (var name in Names(state))
            await dns.SetAsync(name, address, ct);
        return state;
    }

    public async Task UndoAsync(FleetDeployment state, CancellationToken ct)
    {
        foreach (var name in dns is null ? [] : Names(state))
            await dns!.RemoveAsync(name, ct);
    }

    public string Sum(FleetDeployment state) => dns is null ? "not configured" : dns.Name;

    private static IEnumerable<string> Names(FleetDeployment state)
    {
        var service = state.Service;
        return service.Components.Select(c => $"{c.Name}.{service.Name}").Prepend(service.Name.Text);
    }
}
