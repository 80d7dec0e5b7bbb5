using Mcp.Daemon.Operations;
using Mcp.Master.Nodes;
using Mcp.Master.Store;
using Mcp.Model;
using Mcp.Model.Names;
using Mcp.Model.Placement;

namespace Mcp.Master.Deploy.Steps;

/// <summary>Chooses the node and writes down that the service goes there, before anything is there.</summary>
public sealed class PlaceStep(NodeDirectory nodes, ImageArchitectures images, MasterStore store) : IStep<FleetDeployment>
{
    private readonly Lock _oneAtATime = new();

    public string Name => "place";

    /// <summary>Where it would go, and why not elsewhere.</summary>
    /// <param name="architectures">That all its images are there for; null: any.</param>
    public static PlacementDecision Decide(FleetDeployment state, Placement? there, IReadOnlyList<Candidate> candidates, IReadOnlySet<string>? architectures)
    {
        var current = state.Leave ? null : there?.Home;
        var moveTo = state.MoveTo is { } asked ? Label.Parse(asked) : null;
        return Placer.Place(new PlacementRequest(state.Service, architectures, current, moveTo), state.Leave ? [.. candidates.Where(c => c.Node != there?.Home)] : candidates);
    }

    /// <exception cref="McpException">placement.none: no node can have it, and why not each.</exception>
    public async Task<FleetDeployment> RunAsync(FleetDeployment state, IProgress<string> progress, CancellationToken ct)
    {
        var architectures = await images.OfAsync(state.Service, nodes.Candidates(), ct);
        // Two services at once must not both count the same node as the emptiest.
        lock (_oneAtATime)
        {
            var service = state.Service;
            var there = store.Placements.Find(service.Name);
            // Run again after a kill: what was decided stands.
            if (state.Leave && there is { Node: { } old, Target: { } going })
                return state with { Node = going.Text, Why = "as decided before", From = old.Text };
            var decision = Decide(state, there, nodes.Candidates(), architectures);
            if (decision.Node is not { } node)
                throw new McpException("placement.none", decision.Why, "mcp node list shows the nodes; mcp plan shows why each was rejected");
            // It was going elsewhere, and may have arrived there half.
            if (there?.Target is { } given && given != node)
                store.Leftovers.Add(new Leftover(AgentStep.StepName, service.Name.Text, given.Text, FleetDeployment.Write(state with { Node = given.Text }), "the service went elsewhere"));
            store.Placements.Reserve(service, node, state.Definition);
            return state with { Node = node.Text, Why = decision.Why, From = there?.Node is { } from && from != node ? from.Text : null };
        }
    }

    // The record is taken away by the step that confirms it.
    public Task UndoAsync(FleetDeployment state, CancellationToken ct) => Task.CompletedTask;

    public string Sum(FleetDeployment state) => $"{state.Node}: {state.Why}";
}
