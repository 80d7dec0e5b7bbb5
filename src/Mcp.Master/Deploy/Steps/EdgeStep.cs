using Mcp.Daemon.Operations;
using Mcp.Master.Edge;

namespace Mcp.Master.Deploy.Steps;

/// <summary>Lets the public in at each public route's hostname, and at none that the service had before.</summary>
public sealed class EdgeStep(IEdge edge) : IStep<FleetDeployment>
{
    public string Name => "edge";

    public OnCancel OnCancel => OnCancel.TooLate;

    public async Task<FleetDeployment> RunAsync(FleetDeployment state, IProgress<string> progress, CancellationToken ct)
    {
        foreach (var later in await edge.SetAsync(state.Name, EdgeCoordinator.PublicOf(state.Service), state.At, ct))
            progress.Report(later);
        return state;
    }

    public Task UndoAsync(FleetDeployment state, CancellationToken ct) => edge.RemoveAsync(state.Name, ct);

    public string Sum(FleetDeployment state) =>
        EdgeCoordinator.PublicOf(state.Service) is { Count: > 0 } routes ? string.Join(", ", routes) : "no public routes";
}
