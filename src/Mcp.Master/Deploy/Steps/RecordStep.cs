using Mcp.Daemon.Operations;
using Mcp.Master.Store;

namespace Mcp.Master.Deploy.Steps;

/// <summary>The agent's step has written down already that the service is there; this one does it for a deploy that an older version began.
/// Undone: takes the record away.</summary>
public sealed class RecordStep(MasterStore store) : IStep<FleetDeployment>
{
    public string Name => "record";

    public OnCancel OnCancel => OnCancel.TooLate;

    public Task<FleetDeployment> RunAsync(FleetDeployment state, IProgress<string> progress, CancellationToken ct)
    {
        store.Placements.Accept(state.Service, state.At, state.Revision!);
        return Task.FromResult(state);
    }

    public Task UndoAsync(FleetDeployment state, CancellationToken ct)
    {
        store.Placements.Remove(state.Name);
        return Task.CompletedTask;
    }
}
