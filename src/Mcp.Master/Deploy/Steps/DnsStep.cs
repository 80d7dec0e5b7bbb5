using Mcp.Daemon.Operations;
using Mcp.Master.Dns;
using Mcp.Master.Nodes;
using Mcp.Model.Definition;
using Mcp.Model.Errors;
using Mcp.Model.Names;

namespace Mcp.Master.Deploy.Steps;

/// <summary>Names the service and each of its components after the node's overlay address.</summary>
/// <param name="dns">Null: not configured.</param>
public sealed class DnsStep(NodeDirectory nodes, IDnsProvider? dns) : IStep<FleetDeployment>
{
    public string Name => "dns";

    public OnCancel OnCancel => OnCancel.TooLate;

    public async Task<FleetDeployment> RunAsync(FleetDeployment state, IProgress<string> progress, CancellationToken ct)
    {
        await NameAsync(state.Service, state.At, ct);
        return state;
    }

    /// <summary>Safe to repeat.</summary>
    /// <exception cref="McpException">dns.*</exception>
    public async Task NameAsync(ServiceDefinition service, Label node, CancellationToken ct)
    {
        if (dns is null)
            return;
        var address = ServiceNames.Address(nodes.Get(node));
        foreach (var name in ServiceNames.Of(service))
            await dns.SetAsync(name, address, ct);
    }

    // Of one whose definition cannot be read, what is known to be its own.
    public async Task UndoAsync(FleetDeployment state, CancellationToken ct)
    {
        if (dns is null)
            return;
        var service = state.Name;
        var names = state.Revision?.TryRead(service) is { } known
            ? ServiceNames.Of(known)
            : (await dns.ListOwnedAsync(ct)).Select(r => r.Name).Where(n => ServiceNames.Owner(n) == service);
        foreach (var name in names.ToList())
            await dns.RemoveAsync(name, ct);
    }

    public string Sum(FleetDeployment state) => dns is null ? "not configured" : dns.Name;
}
