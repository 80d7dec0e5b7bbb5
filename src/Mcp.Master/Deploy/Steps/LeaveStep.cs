using Mcp.Daemon.Operations;
using Mcp.Master.Store;
using Mcp.Model.Names;

namespace Mcp.Master.Deploy.Steps;

/// <summary>Of a service that moved: removes it from where it was, now that its names have moved and once clients have had time to learn
/// it. A node that is away is seen to later.</summary>
public sealed class LeaveStep(OldCopies copies, MasterStore store) : IStep<FleetDeployment>
{
    public const string StepName = "leave";

    public string Name => StepName;

    public OnCancel OnCancel => OnCancel.TooLate;

    public async Task<FleetDeployment> RunAsync(FleetDeployment state, IProgress<string> progress, CancellationToken ct)
    {
        Recall(state);
        // Also from where an earlier move, that failed after the agent's step, has left it.
        var from = state.From
            ?? (store.Leftovers.CopiesOf(state.Name).Find(l => l.Step == StepName) is { } copy ? Label.Parse(copy.Node) : null);
        var left = await copies.LeaveAsync(state.Name, progress, ct);
        return state with { From = from, Why = left.Count == 0 ? null : string.Join("; ", left) };
    }

    public Task UndoAsync(FleetDeployment state, CancellationToken ct) => Task.CompletedTask;

    public string Sum(FleetDeployment state) => state switch
    {
        { From: null } => "it has not moved",
        { Why: null } => $"removed from {state.From}",
        _ => $"{state.Why}; it is removed from {state.From} later",
    };

    // A journal of an older version, which wrote a move down only here. Safe to repeat: where nothing is, nothing is removed.
    private void Recall(FleetDeployment state)
    {
        if (state.From is not { } from || store.Placements.Find(state.Name) is not { } there || there.Holds(from))
            return;
        if (!store.Leftovers.IsLeftAt(state.Name, from.Text))
            store.Leftovers.Add(Leftover.Copy(StepName, state.Name, from, "the service has moved"));
    }
}
