using Mcp.Daemon.Operations;
using Mcp.Master.Edge;
using Mcp.Model.Names;

namespace Mcp.Master.Deploy.Steps;

/// <summary>Lets the public in at each public route's hostname.</summary>
/// <param name="edge">Null: not configured.</param>
public sealed class EdgeStep(IEdge? edge) : IStep<FleetDeployment>
{
    public string Name => "edge";

    public async Task<FleetDeployment> RunAsync(FleetDeployment state, IProgress<string> progress, CancellationToken ct)
    {
        foreach (var hostname in edge is null ? [] : Public(state))
            await edge!.SetAsync(hostname, state.Service.Name, ct);
        return state;
    }

    public async Task UndoAsync(FleetDeployment state, CancellationToken ct)
    {
        foreach (var hostname in edge is null ? [] : Public(state))
            await edge!.RemoveAsync(hostname, ct);
    }

    public string Sum(FleetDeployment state)
    {
        var routes = Public(state);
        return routes.Count == 0 ? "no public routes" : edge is null ? "not configured" : string.Join(", ", routes);
    }

    private static List<Hostname> Public(FleetDeployment state) => [.. state.Service.Components.SelectMany(c => c.Routes).Where(r => r is { Public: true, Hostname: not null }).Select(r => r.Hostname!)];
}
