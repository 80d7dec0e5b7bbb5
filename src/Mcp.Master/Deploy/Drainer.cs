using Mcp.Daemon.Operations;
using Mcp.Master.Nodes;
using Mcp.Master.Store;
using Mcp.Model.Errors;
using Mcp.Model.Events;
using Mcp.Model.Names;

namespace Mcp.Master.Deploy;

/// <summary>Cordons a node and moves its services elsewhere, one after the other; one that cannot move stays and is told.</summary>
public sealed class Drainer(NodeDirectory nodes, MasterStore store, FleetDeployer deployer, FleetUndeployer undeployer)
{
    private const int Named = 20;

    /// <param name="by">Who asked for it.</param>
    /// <param name="report">The "step" is the service.</param>
    /// <param name="leaveData">Also those whose data stays behind.</param>
    /// <exception cref="McpException">drain.partial: names everything that is still on the node, or going there, and why.</exception>
    public async Task DrainAsync(Label name, string by, StepReport report, CancellationToken ct, bool leaveData = false)
    {
        var node = nodes.Get(name);
        store.Nodes.Cordon(node.Name, true);
        store.Events.Add("", "", EventKind.NodeDraining, name.Text);
        var told = new Dictionary<Label, string>();
        // Until nothing is new: a deploy that was under way may have brought one.
        while (On(name).FirstOrDefault(s => !told.ContainsKey(s)) is { } next)
            told[next] = await MoveAsync(next, name, leaveData, by, report, ct);
        await undeployer.SweepAsync(ct, name);
        var stay = Staying(name, told);
        if (stay.Count == 0)
            return;
        // A message has to fit into the trailer of an answer.
        var named = string.Join("; ", stay.Take(Named)) + (stay.Count > Named ? $"; and {stay.Count - Named} more, see mcp status" : "");
        store.Events.Add("", "", EventKind.NodeDraining, $"{name} still has {named}");
        throw new McpException(
            ErrorCode.DrainPartial,
            $"{name} is cordoned, and is not empty yet: {named}",
            "fix the reasons and drain again; --leave-data moves services without their data: copy it first; mcp node "
                + $"uncordon {name} lets it have services again");
    }

    // Also what has left but for a copy: a kill may have interrupted its move.
    private IEnumerable<Label> On(Label node) => store.Placements.List().Where(p => p.Holds(node)).Select(p => p.Service)
        .Concat(store.Leftovers.List().Where(l => l.IsCopy && l.Node == node.Text).Select(l => Label.Parse(l.Service)));

    /// <returns>Why it could not go, or not wholly; empty: it has left.</returns>
    private async Task<string> MoveAsync(Label service, Label name, bool leaveData, string by, StepReport report, CancellationToken ct)
    {
        report(service.Text, StepMark.Started, "");
        try
        {
            await deployer.MoveAwayAsync(
                service,
                name,
                leaveData,
                by,
                (step, _, detail) => report(service.Text, StepMark.Progress, $"{step} {detail}"),
                ct);
            report(service.Text, StepMark.Done, store.Placements.Find(service) is { } there ? $"now on {there.Home}" : "it was undeployed");
            return "";
        }
        catch (Exception e) when (e is StepFailedException or McpException)
        {
            report(service.Text, StepMark.Failed, e.Message);
            return e.Message;
        }
    }

    // One that arrived elsewhere without its names is told as well: it is not well yet.
    private List<string> Staying(Label name, Dictionary<Label, string> told)
    {
        var placements = store.Placements.List();
        var there = placements.Where(p => p.Holds(name)).Select(p => p.Service).ToHashSet();
        var stay = there.Select(s => told.GetValueOrDefault(s) is { Length: > 0 } why ? $"{s}: {why}" : $"{s} is there again").ToList();
        stay.AddRange(told.Where(t => t.Value.Length > 0 && !there.Contains(t.Key)).Select(t => $"{t.Key} has moved, but {t.Value}"));
        stay.AddRange(store.Leftovers.List()
            .Where(l => l.IsCopy && l.Node == name.Text)
            .Select(l => $"a copy of {l.Service}, which is removed by itself later: {l.Error}"));
        return stay;
    }
}
