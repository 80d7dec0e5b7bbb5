using System.Collections.Concurrent;
using Mcp.Daemon.Operations;
using Mcp.Master.Store;
using Mcp.Model.Definition;
using Mcp.Model.Errors;
using Mcp.Model.Events;
using Mcp.Model.Names;
using Mcp.Model.Revisions;
using Mcp.Protocol.V1;

namespace Mcp.Master.Deploy;

/// <summary>Deploys a service on the fleet: place, deploy, dns, edge, record, leave. A step that fails stops the later ones, and what was
/// done stands: the same command goes on from there. A killed master goes on by itself.</summary>
/// <param name="check">Throws for a service that this fleet cannot have as it is.</param>
public sealed class FleetDeployer(
    IReadOnlyList<IStep<FleetDeployment>> steps,
    MasterStore store,
    Action<ServiceDefinition> check,
    NodeDefinitions running,
    FleetUndeployer undeployer,
    ServiceLocks locks)
{
    public const string Kind = "deploy";
    private const string Drain = "drain";
    private readonly ConcurrentDictionary<Guid, bool> _active = new();
    private readonly OperationRunner<FleetDeployment> _runner = new(
        steps,
        store.Operations,
        FleetDeployment.Write,
        FleetDeployment.Read,
        OnFailure.Stop);

    /// <exception cref="McpException">route.*, edge.*: a hostname that the service may not have; nothing was touched.</exception>
    /// <exception cref="StepFailedException">A step failed.</exception>
    public async Task DeployAsync(FleetDeployment deployment, StepReport? report, CancellationToken ct)
    {
        using var work = new Work(Work.Deploy, deployment.By ?? "", report);
        await CarryOutAsync(deployment, work, ct);
    }

    /// <summary>The same for work that others may follow, and take back.</summary>
    public async Task CarryOutAsync(FleetDeployment deployment, Work work, CancellationToken ct)
    {
        var service = deployment.Service;
        Check(service);
        using var held = await locks.TakeAsync(service.Name, work, ct);
        await FinishHeldAsync(service.Name, ct);
        await RunAsync(Begin(deployment), work, ct);
    }

    /// <summary>Moves a service away from a node, with the definition that runs there; whatever is half of it there is seen to,
    /// too.</summary>
    /// <param name="leaveData">Although data of its stays behind.</param>
    /// <returns>False: it has nothing to do with that node any more.</returns>
    /// <exception cref="McpException">definition.*: this version must not start it elsewhere.</exception>
    /// <exception cref="StepFailedException">A step failed.</exception>
    public async Task<bool> MoveAwayAsync(Label service, Label away, bool leaveData, string by, StepReport? report, CancellationToken ct)
    {
        using var work = new Work(Drain, by, report);
        using var held = await locks.TakeAsync(service, work, ct);
        await FinishHeldAsync(service, ct);
        // Only now nobody else changes it: read before, it would bring back what another operator has just replaced.
        if (store.Placements.Find(service) is not { } there || !there.Holds(away))
            return false;
        var revision = await running.NewestAsync(there, ct) ?? there.Revision;
        var state = FleetDeployment.Of(revision.ReadWhole(service)) with
        {
            Revision = revision,
            Leave = true,
            Away = away,
            IfChanged = true,
            LeaveData = leaveData,
            By = by,
        };
        await RunAsync(Begin(state), work, ct);
        return true;
    }

    /// <summary>Goes on with a deploy or an undeploy that a kill interrupted.</summary>
    public async Task ResumeAsync(JournalEntry entry, CancellationToken ct)
    {
        using var work = new Work(entry.Kind, "");
        using var held = await locks.TakeAsync(Label.Parse(entry.Subject), work, ct);
        if (store.Operations.Open().FirstOrDefault(o => o.Id == entry.Id) is not { } still)
            return;
        try
        {
            await work.RunAsync(async () =>
            {
                await ResumeHeldAsync(still, work, ct);
                return new StepEvent();
            });
        }
        catch (StepFailedException)
        {
            // Already an event; the journal is closed.
        }
    }

    /// <summary>Ends what a kill interrupted of a service, before something else is done with it. The caller holds its lock.</summary>
    public async Task FinishHeldAsync(Label service, CancellationToken ct)
    {
        foreach (var entry in store.Operations.Open().Where(o => o.Subject == service.Text))
        {
            using var before = new Work(entry.Kind, "");
            try
            {
                await ResumeHeldAsync(entry, before, ct);
            }
            catch (StepFailedException)
            {
                // Already an event; the journal is closed.
            }
        }
    }

    public bool IsActive(Guid operation) => _active.ContainsKey(operation);

    /// <exception cref="McpException">route.*, edge.*</exception>
    public void Check(ServiceDefinition service) => check(service);

    private JournalEntry Begin(FleetDeployment state) => store.Releases.Begin(
        state.Name,
        state.Revision ?? throw Revision.Unreadable(state.Name),
        state.By ?? "",
        atLeast: 0,
        number => new JournalEntry(
            Guid.NewGuid(),
            Kind,
            state.Name.Text,
            0,
            false,
            FleetDeployment.Write(state with { Release = number })));

    private async Task ResumeHeldAsync(JournalEntry entry, Work work, CancellationToken ct)
    {
        if (entry.Kind == FleetUndeployer.Kind)
        {
            await undeployer.RunHeldAsync(entry, null, ct);
            return;
        }

        if (FleetDeployment.TryRead(Label.Parse(entry.Subject), entry.State) is not { } state || entry.Step >= steps.Count)
        {
            // The placement says where it was going: the next deploy, drain or undeploy sees to that.
            const string why = "the deploy was interrupted and its record cannot be read; deploy again";
            store.Operations.Close(entry.Id, Outcome.Failed, why);
            store.Events.Add(entry.Subject, "", EventKind.DeployFailed, why);
            return;
        }

        store.Events.Add(entry.Subject, "", EventKind.DeployResumed, $"from step {steps[entry.Step].Name}");
        // What the agent has finished meanwhile is not done again; of a forced one nobody can tell whether it has.
        var isSame = !state.Force && state.Pull is not { Count: > 0 };
        await RunAsync(entry with { State = FleetDeployment.Write(state with { IfChanged = isSame }) }, work, ct);
    }

    private async Task RunAsync(JournalEntry entry, Work work, CancellationToken ct)
    {
        _active[entry.Id] = true;
        try
        {
            var done = await _runner.CarryOutAsync(entry, work, ct);
            if (done is { Unchanged: true, From: null })
                store.Releases.Drop(done.Name, done.Release);
            var where = done.From is null ? $"on {done.Node}" : $"moved from {done.From} to {done.Node}";
            store.Events.Add(entry.Subject, "", EventKind.DeployDone, where);
        }
        catch (StepFailedException e)
        {
            store.Events.Add(entry.Subject, "", EventKind.DeployFailed, $"step {e.Step}: {e.Message}");
            throw;
        }
        finally
        {
            _active.TryRemove(entry.Id, out _);
        }
    }
}
