using Mcp.Daemon.Operations;
using Mcp.Master.Store;

namespace Mcp.Master.Deploy.Steps;

/// <summary>Writes down that the service is where it was to go.</summary>
public sealed class RecordStep(MasterStore store) : IStep<FleetDeployment>
{
    public string Name => "record";

    public Task<FleetDeployment> RunAsync(FleetDeployment state, IProgress<string> progress, CancellationToken ct)
    {
        store.Placements.Record(state.Service, state.At, state.Definition);
        return Task.FromResult(state);
    }

    public Task UndoAsync(FleetDeployment state, CancellationToken ct)
    {
        store.Placements.Remove(state.Service.Name);
        return Task.CompletedTask;
    }
}
