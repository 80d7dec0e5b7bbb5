using System.Collections.Concurrent;
using Mcp.Daemon.Operations;
using Mcp.Master.Deploy.Steps;
using Mcp.Master.Store;
using Mcp.Model;
using Mcp.Model.Names;

namespace Mcp.Master.Deploy;

/// <summary>Removes a service from the fleet: the undos of a deploy's steps, worker first, then edge, DNS, record. One that fails does not keep the others from running; it is told, remembered, and tried again.</summary>
public sealed class FleetUndeployer(IReadOnlyList<IStep<FleetDeployment>> steps, MasterStore store, ServiceLocks locks)
{
    public const string Kind = "undeploy";
    private readonly ConcurrentDictionary<Guid, bool> _active = new();
    private readonly OperationRunner<FleetDeployment> _runner = new([.. steps.Select(s => new Undone(s))], store.Operations, FleetDeployment.Write, FleetDeployment.Read, OnFailure.GoOn);

    public bool IsActive(Guid operation) => _active.ContainsKey(operation);

    /// <returns>What could not be removed yet.</returns>
    /// <exception cref="McpException">service.unknown</exception>
    public async Task<IReadOnlyList<string>> UndeployAsync(Label service, CancellationToken ct)
    {
        using var held = await locks.TakeAsync(service, ct);
        var there = store.Placements.Find(service) ?? throw new McpException("service.unknown", $"there is no service {service} on this fleet", "mcp list shows those that are; mcp adopt takes those that were deployed with --direct");
        foreach (var entry in store.Operations.Open().Where(o => o.Subject == service.Text))
            store.Operations.Close(entry.Id);
        var state = new FleetDeployment(there.Definition, "", null, false, false, there.Home.Text, "", there.Node is { } node && node != there.Home ? node.Text : null);
        return await RunHeldAsync(new JournalEntry(Guid.NewGuid(), Kind, service.Text, 0, false, FleetDeployment.Write(state)), state, ct);
    }

    /// <summary>The caller holds the service's lock.</summary>
    public async Task<IReadOnlyList<string>> RunHeldAsync(JournalEntry entry, FleetDeployment? known, CancellationToken ct)
    {
        var state = known ?? FleetDeployment.Read(entry.State);
        var failed = new List<string>();
        _active[entry.Id] = true;
        try
        {
            await _runner.RunAsync(entry, (step, mark, detail) =>
            {
                if (mark != StepMark.Failed)
                    return;
                failed.Add($"{step}: {detail}");
                store.Leftovers.Add(new Leftover(step, entry.Subject, state.Node, FleetDeployment.Write(state), detail));
            }, ct);
            store.Events.Add(entry.Subject, "", failed.Count == 0 ? "undeploy.done" : "undeploy.partial", string.Join("; ", failed));
            return failed;
        }
        finally
        {
            _active.TryRemove(entry.Id, out _);
        }
    }

    /// <summary>Tries once to remove each thing that could not be removed before: node by node, all nodes at once.</summary>
    public Task SweepAsync(CancellationToken ct) => Task.WhenAll(store.Leftovers.List().GroupBy(l => l.Node).Select(async node =>
    {
        foreach (var leftover in node)
            await SweepAsync(leftover, ct);
    }));

    private async Task SweepAsync(Leftover leftover, CancellationToken ct)
    {
        var service = Label.Parse(leftover.Service);
        using var held = locks.TryTake(service);
        var there = store.Placements.Find(service);
        // Somebody is changing it, or it is wanted there again.
        if (held is null || there?.Node?.Text == leftover.Node || there?.Target?.Text == leftover.Node)
            return;
        // Its names and hostnames are one for the fleet: deployed anew, they are that one's.
        if (there is not null && leftover.Step != AgentStep.StepName)
        {
            store.Leftovers.Remove(leftover.Step, leftover.Service, leftover.Node);
            return;
        }

        try
        {
            await steps.First(s => s.Name == leftover.Step).UndoAsync(FleetDeployment.Read(leftover.State), ct);
            store.Leftovers.Remove(leftover.Step, leftover.Service, leftover.Node);
            store.Events.Add(leftover.Service, "", "undeploy.done", $"{leftover.Step} on {leftover.Node}, later");
        }
        catch (Exception e) when (!ct.IsCancellationRequested)
        {
            store.Leftovers.Add(leftover with { Error = e.Message });
        }
    }
}
