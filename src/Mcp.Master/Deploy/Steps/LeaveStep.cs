using Mcp.Daemon.Operations;
using Mcp.Master.Store;

namespace Mcp.Master.Deploy.Steps;

/// <summary>Of a service that moved: removes it from where it was, now that its names have moved and once clients have had time to learn it. A node that is away is seen to later.</summary>
public sealed class LeaveStep(OldCopies copies, MasterStore store) : IStep<FleetDeployment>
{
    public const string StepName = "leave";

    public string Name => StepName;

    public async Task<FleetDeployment> RunAsync(FleetDeployment state, IProgress<string> progress, CancellationToken ct)
    {
        // Also from where an earlier move, that failed after the agent's step, has left it.
        var from = state.From ?? store.Leftovers.CopiesOf(state.Subject).Find(l => l.Step == StepName)?.Node;
        return state with { From = from, Why = string.Join("; ", await copies.LeaveAsync(state.Subject, progress, ct)) };
    }

    public Task UndoAsync(FleetDeployment state, CancellationToken ct) => Task.CompletedTask;

    public string Sum(FleetDeployment state) => state switch
    {
        { From: null } => "it has not moved",
        { Why.Length: 0 } => $"removed from {state.From}",
        _ => $"{state.Why}; it is removed from {state.From} later",
    };
}
