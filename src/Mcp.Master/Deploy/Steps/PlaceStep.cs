using Mcp.Daemon.Operations;
using Mcp.Master.Nodes;
using Mcp.Master.Store;
using Mcp.Model.Errors;
using Mcp.Model.Names;
using Mcp.Model.Placement;

namespace Mcp.Master.Deploy.Steps;

/// <summary>Chooses the node and writes down that the service goes there, before anything is there. A service whose data would stay behind
/// goes nowhere unless it was said that it may.</summary>
public sealed class PlaceStep(
    NodeDirectory nodes,
    CommonArchitectures images,
    NodeDefinitions running,
    MasterStore store) : IStep<FleetDeployment>
{
    private readonly Lock _oneAtATime = new();

    public string Name => "place";

    /// <summary>Where it would go, and why not elsewhere.</summary>
    /// <param name="architectures">That all its images are there for; null: any.</param>
    public static PlacementDecision Decide(
        FleetDeployment state,
        Placement? there,
        IReadOnlyList<Candidate> candidates,
        IReadOnlySet<string>? architectures)
    {
        var service = state.Service;
        if (!state.Leave)
            return Placer.Place(new PlacementRequest(service, architectures, there?.Home, state.MoveTo), candidates);
        var away = state.Away ?? there?.Seat;
        if (state.MoveTo is null && service.Node == away && away is not null)
            return new PlacementDecision(null, $"its file says that it runs on {away}", [new RejectedNode(away, "it is to leave it")]);
        // Nobody could remove it there, and on a third node it would run twice.
        if (there?.Node is { } seat && seat != away && candidates.FirstOrDefault(c => c.Node == seat) is { Reachable: false })
        {
            var why = $"it is still on {seat}, which cannot be reached; it goes on when {seat} is back";
            return new PlacementDecision(null, why, [new RejectedNode(seat, "cannot be reached")]);
        }

        var others = candidates.Where(c => c.Node != away).ToList();
        // Where it is half already it goes on, if that does; else anywhere.
        foreach (var half in new[] { there?.Node, there?.Target }.OfType<Label>().Where(n => n != away))
        {
            var mayStay = others.Find(c => c.Node == half) is { } begun && (half == there?.Node || !begun.Cordoned);
            if (mayStay
                && Placer.Place(new PlacementRequest(service, architectures, half, state.MoveTo), others) is { Node: not null } stays)
            {
                return stays;
            }
        }

        return Placer.Place(new PlacementRequest(service, architectures, null, state.MoveTo), others);
    }

    /// <summary>Why it may not go to that node: its data, or its other components, would stay where it is.</summary>
    /// <returns>move.data, with the component, the path and the node; move.component: the others would stay; null: it may.</returns>
    /// <exception cref="McpException">definition.unreadable: nobody can say what would stay.</exception>
    public async Task<McpException?> RefusalAsync(FleetDeployment state, Placement? there, Label node, CancellationToken ct)
    {
        // The agent would keep the others of what is to be removed.
        if (state.Component is not null && store.Leftovers.IsLeftAt(state.Name, node.Text))
        {
            return new McpException(
                ErrorCode.MoveComponent,
                $"an old copy of {state.Name} is still to be removed from {node}, and {state.Component} alone does not replace it",
                "deploy its whole file");
        }

        if (there is null || there.Seat == node)
            return null;
        if (state.Component is not null)
        {
            return new McpException(
                ErrorCode.MoveComponent,
                $"{state.Name} is on {there.Seat}, and only a whole service moves, not {state.Component} alone",
                "deploy its whole file");
        }

        if (state.LeaveData)
            return null;
        var left = await running.LeftByAsync(there, node, state.Service, ct);
        return left.Count == 0 ? null : new McpException(
            ErrorCode.MoveData,
            $"{state.Name} would leave data behind: {string.Join(", ", left)}",
            "copy it first; --leave-data moves the service without it");
    }

    /// <exception cref="McpException">placement.none: no node can have it, and why not each. move.data</exception>
    public async Task<FleetDeployment> RunAsync(FleetDeployment state, IProgress<string> progress, CancellationToken ct)
    {
        var service = state.Service;
        var there = store.Placements.Find(service.Name);
        var architectures = await images.OfAsync(service, nodes.Candidates(), ct);
        var node = Choose(state, there, architectures).Node!;
        if (await RefusalAsync(state, there, node, ct) is { } refusal)
            throw refusal;
        // Two services at once must not both count the same node as the emptiest.
        lock (_oneAtATime)
        {
            var decision = Choose(state, there, architectures);
            // The nodes have changed meanwhile: one whose data nobody has asked about keeps the first choice.
            var (chosen, why) = there is null || decision.Node == there.Seat
                ? (decision.Node!, decision.Why)
                : (node, decision.Node == node ? decision.Why : "chosen before");
            store.Placements.Reserve(service, chosen, state.Revision!);
            return state with
            {
                Node = chosen,
                Why = why,
                From = there?.Node == chosen ? null : there?.Node,
                Half = there?.Target == chosen && there.Node != chosen,
            };
        }
    }

    // The record is taken away by the step that confirms it.
    public Task UndoAsync(FleetDeployment state, CancellationToken ct) => Task.CompletedTask;

    public string Sum(FleetDeployment state) => $"{state.Node}: {state.Why}";

    private PlacementDecision Choose(FleetDeployment state, Placement? there, IReadOnlySet<string>? architectures)
    {
        var decision = Decide(state, there, nodes.Candidates(), architectures);
        return decision.Node is not null
            ? decision
            : throw new McpException(
                ErrorCode.PlacementNone,
                decision.Why,
                "mcp node list shows the nodes; mcp plan shows why each was rejected");
    }
}
