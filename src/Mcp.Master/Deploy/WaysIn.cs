using Mcp.Master.Deploy.Steps;
using Mcp.Master.Edge;
using Mcp.Master.Store;
using Mcp.Model.Definition;
using Mcp.Model.Errors;
using Mcp.Model.Names;

namespace Mcp.Master.Deploy;

/// <summary>The names and edge routes of a service while its node still watches over it: they lead to the new place as soon as it serves,
/// and back where it fails there. What cannot be had now, the steps after it, or the reconcilers, tell and mend.</summary>
public sealed class WaysIn(DnsStep names, IEdge edge, MasterStore store)
{
    public Task OpenAsync(ServiceDefinition service, Label node, CancellationToken ct) => TryAsync(async () =>
    {
        await names.NameAsync(service, node, ct);
        await edge.SetAsync(service.Name, EdgeCoordinator.PublicOf(service), node, ct);
    });

    /// <summary>As the placement says: to where it was, or nowhere.</summary>
    public Task BackAsync(FleetDeployment failed, CancellationToken ct) => TryAsync(async () =>
    {
        var there = store.Placements.Find(failed.Name);
        if (there is { Node: { } node } && there.TryRead() is { } service)
        {
            await names.NameAsync(service, node, ct);
            await edge.SetAsync(service.Name, EdgeCoordinator.PublicOf(service), node, ct);
        }
        else if (there is null)
        {
            await names.UndoAsync(failed, ct);
            await edge.RemoveAsync(failed.Name, ct);
        }
    });

    private static async Task TryAsync(Func<Task> act)
    {
        try
        {
            await act();
        }
        catch (McpException)
        {
            // Told by whoever comes after.
        }
    }
}
