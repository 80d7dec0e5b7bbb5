using System.Collections.Concurrent;
using Mcp.Daemon.Operations;
using Mcp.Master.Deploy.Steps;
using Mcp.Master.Store;
using Mcp.Model.Errors;
using Mcp.Model.Events;
using Mcp.Model.Names;

namespace Mcp.Master.Deploy;

/// <summary>Removes a service from the fleet: the undos of a deploy's steps, worker first, then edge, DNS, record. One that fails does not
/// keep the others from running; it is told, remembered, and tried again.</summary>
public sealed class FleetUndeployer(IReadOnlyList<IStep<FleetDeployment>> steps, OldCopies copies, MasterStore store, ServiceLocks locks)
{
    public const string Kind = "undeploy";

    // The agent goes on with what it has begun; the next round hears what came of it.
    private static readonly TimeSpan s_roundLimit = TimeSpan.FromSeconds(15);
    private readonly ConcurrentDictionary<Guid, bool> _active = new();
    private readonly Dictionary<string, Task> _sweeps = [];
    private readonly OperationRunner<FleetDeployment> _runner = new(
        [.. steps.Select(s => new Undone(s))],
        store.Operations,
        FleetDeployment.Write,
        FleetDeployment.Read,
        OnFailure.GoOn);

    public bool IsActive(Guid operation) => _active.ContainsKey(operation);

    /// <returns>What could not be removed yet.</returns>
    /// <exception cref="McpException">service.unknown</exception>
    public async Task<IReadOnlyList<string>> UndeployAsync(Label service, CancellationToken ct)
    {
        using var work = new Work(Kind, "");
        return await UndeployAsync(service, work, ct);
    }

    public async Task<IReadOnlyList<string>> UndeployAsync(Label service, Work work, CancellationToken ct)
    {
        using var held = await locks.TakeAsync(service, work, ct);
        var there = store.Placements.Find(service)
            ?? throw new McpException(
                ErrorCode.ServiceUnknown,
                $"there is no service {service} in this fleet",
                "mcp list shows those that are; mcp adopt takes those that were deployed with --direct");
        foreach (var entry in store.Operations.Open().Where(o => o.Subject == service.Text))
        {
            // Older versions wrote down only here where a move came from.
            if (FleetDeployment.TryRead(service, entry.State)?.From is { } from && !there.Holds(from))
                store.Leftovers.Add(Leftover.Copy(AgentStep.StepName, service, from, "the service was undeployed"));
            store.Operations.Close(entry.Id, Outcome.Failed, "the service was undeployed");
        }

        var state = FleetDeployment.Removal(
            service,
            there.Revision,
            there.Home) with
        { From = there.Node == there.Home ? null : there.Node };
        return await RunHeldAsync(new JournalEntry(Guid.NewGuid(), Kind, service.Text, 0, false, FleetDeployment.Write(state)), state, ct);
    }

    /// <summary>The caller holds the service's lock.</summary>
    public async Task<IReadOnlyList<string>> RunHeldAsync(JournalEntry entry, FleetDeployment? known, CancellationToken ct)
    {
        var service = Label.Parse(entry.Subject);
        // Where what was written down is damaged, the placement knows where the service is.
        var state = known ?? FleetDeployment.TryRead(service, entry.State) ?? FleetDeployment.Removal(service, null, null);
        var failed = new List<string>();
        _active[entry.Id] = true;
        try
        {
            await _runner.RunAsync(entry with { State = FleetDeployment.Write(state) }, (step, mark, detail) =>
            {
                if (mark != StepMark.Failed)
                    return;
                failed.Add($"{step}: {detail}");
                // The agent's step keeps in mind itself on which nodes.
                if (step != AgentStep.StepName)
                    store.Leftovers.Add(new Leftover(step, entry.Subject, state.Node?.Text ?? "", FleetDeployment.Write(state), detail));
            }, ct);
            var kind = failed.Count == 0 ? EventKind.UndeployDone : EventKind.UndeployPartial;
            store.Events.Add(entry.Subject, "", kind, string.Join("; ", failed));
            return failed;
        }
        finally
        {
            _active.TryRemove(entry.Id, out _);
        }
    }

    /// <summary>Tries once to remove each thing that could not be removed before: node by node, all nodes at once.</summary>
    /// <param name="only">Only what is on this node.</param>
    public Task SweepAsync(CancellationToken ct, Label? only = null) =>
        Task.WhenAll(Left().Where(n => only is null || n.Key == only.Text).Select(n => SweepAsync(n, AgentStep.Removal, ct)));

    /// <summary>Begins a sweep of each node that has none under way, and does not wait for it: a node that hangs keeps no other waiting,
    /// and a service's lock for no longer than <see cref="s_roundLimit"/>.</summary>
    /// <remarks>One caller at a time.</remarks>
    public async Task BeginSweepsAsync(CancellationToken ct)
    {
        foreach (var (node, sweep) in _sweeps.Where(s => s.Value.IsCompleted).ToList())
        {
            _sweeps.Remove(node);
            await sweep;
        }

        foreach (var node in Left().Where(n => !_sweeps.ContainsKey(n.Key)))
            _sweeps[node.Key] = SweepAsync(node, s_roundLimit, ct);
    }

    /// <summary>Waits for the sweeps under way, which are to be cancelled.</summary>
    public async Task EndSweepsAsync() => await Task.WhenAll(_sweeps.Values).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);

    private IEnumerable<IGrouping<string, Leftover>> Left() => store.Leftovers.List().GroupBy(l => l.Node);

    private async Task SweepAsync(IEnumerable<Leftover> node, TimeSpan limit, CancellationToken ct)
    {
        foreach (var leftover in node)
            await SweepAsync(leftover, limit, ct);
    }

    private async Task SweepAsync(Leftover leftover, TimeSpan limit, CancellationToken ct)
    {
        var service = Label.Parse(leftover.Service);
        using var held = locks.TryTake(service);
        // Somebody is changing it, or a kill interrupted who did; or it was seen to meanwhile.
        if (held is null
            || store.Operations.Open().Any(o => o.Subject == service.Text)
            || !store.Leftovers.List().Exists(l => (l.Step, l.Service, l.Node) == (leftover.Step, leftover.Service, leftover.Node)))
        {
            return;
        }

        try
        {
            if (leftover.IsCopy ? await CopyAsync(leftover, limit, ct) : await OfTheFleetAsync(leftover, ct))
                store.Events.Add(leftover.Service, "", EventKind.UndeployDone, $"{leftover.Step} on {leftover.Node}, later");
        }
        catch (Exception e) when (!ct.IsCancellationRequested)
        {
            store.Leftovers.Add(leftover with { Error = e.Message });
        }
    }

    private async Task<bool> CopyAsync(Leftover copy, TimeSpan limit, CancellationToken ct)
    {
        // Older versions kept two nodes as one.
        if (FleetDeployment.TryRead(Label.Parse(copy.Service), copy.State)?.From is { } other && other.Text != copy.Node)
        {
            store.Leftovers.Add(Leftover.Copy(AgentStep.StepName, Label.Parse(copy.Service), other, copy.Error));
            store.Leftovers.Add(copy = Leftover.Copy(copy.Step, Label.Parse(copy.Service), Label.Parse(copy.Node), copy.Error));
        }

        return await copies.TryAgainAsync(copy, limit, ct) is null;
    }

    // Names, hostnames and the record are one for the fleet: deployed anew, they are that one's.
    private async Task<bool> OfTheFleetAsync(Leftover leftover, CancellationToken ct)
    {
        var service = Label.Parse(leftover.Service);
        var gone = store.Placements.Find(service) is null;
        if (gone)
        {
            var state = FleetDeployment.TryRead(service, leftover.State) ?? FleetDeployment.Removal(service, null, null);
            await steps.First(s => s.Name == leftover.Step).UndoAsync(state, ct);
        }

        store.Leftovers.Remove(leftover.Step, leftover.Service, leftover.Node);
        return gone;
    }
}
