using Mcp.Daemon.Operations;
using Mcp.Master.Store;
using Mcp.Model.Names;

namespace Mcp.Master.Deploy.Steps;

/// <summary>Of a service that moved: removes it from where it was, now that its names have moved and once clients have had time to learn it. A node that is away is seen to later.</summary>
public sealed class LeaveStep(OldCopies copies, MasterStore store) : IStep<FleetDeployment>
{
    public const string StepName = "leave";

    public string Name => StepName;

    public async Task<FleetDeployment> RunAsync(FleetDeployment state, IProgress<string> progress, CancellationToken ct)
    {
        Recall(state);
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

    // A journal of an older version, which wrote a move down only here. Safe to repeat: where nothing is, nothing is removed.
    private void Recall(FleetDeployment state)
    {
        if (state.From is not { } from || store.Placements.Find(state.Subject) is not { } there || there.Holds(Label.Parse(from)))
            return;
        if (!store.Leftovers.IsLeftAt(state.Subject, from))
            store.Leftovers.Add(Leftover.Copy(StepName, state.Subject, Label.Parse(from), "the service has moved"));
    }
}
