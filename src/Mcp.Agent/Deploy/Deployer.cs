using System.Collections.Concurrent;
using Mcp.Agent.Registry;
using Mcp.Daemon.Operations;
using Mcp.Model.Definition;
using Mcp.Model.Deploy;
using Mcp.Model.Errors;
using Mcp.Model.Events;
using Mcp.Model.Histories;
using Mcp.Model.Names;
using Mcp.Model.Revisions;
using Mcp.Protocol.V1;
using Microsoft.Data.Sqlite;

namespace Mcp.Agent.Deploy;

/// <param name="Only">Only this component; null: all.</param>
/// <param name="Force">What did not change is replaced, too.</param>
/// <param name="IfChanged">Nothing to do where this very definition is deployed already.</param>
/// <param name="Number">The master's; null: not from it.</param>
public sealed record DeployOptions(Label? Only = null, bool Force = false, bool IfChanged = false, RequestNumber? Number = null)
{
    /// <summary>Who asked for it: the name on the token.</summary>
    public string By { get; init; } = "";

    /// <summary>The number that its release has in the fleet; 0: none.</summary>
    public long Release { get; init; }

    /// <summary>Components that take the image that their registry has now.</summary>
    public IReadOnlyCollection<Label> Pull { get; init; } = [];

    /// <summary>Registries are asked for newer images also where nothing is done about them.</summary>
    public bool Looks { get; init; }

    /// <summary>The id of the plan that was agreed to: nothing else is done. Null: whatever the plan is.</summary>
    public string? Plan { get; init; }

    public static readonly DeployOptions Default = new();
}

/// <summary>Deploys a service: what changed gets a new generation, health-gated, what did not is kept. Journaled; a killed agent finishes
/// it at its next start.</summary>
public sealed class Deployer(
    IReadOnlyList<IStep<Deployment>> steps,
    AgentRegistry registry,
    Rollouts rollouts,
    Undeployer undeployer,
    ServiceLocks locks,
    Staying staying)
{
    internal const string Kind = "rollout";
    private readonly ConcurrentDictionary<Guid, bool> _active = new();
    private readonly ConcurrentDictionary<Guid, bool> _undo = new();
    private readonly OperationRunner<Deployment> _runner = new(
        steps,
        registry.Operations,
        Deployment.Write,
        Deployment.Read,
        undoLimit: d => d.UndoLimit,
        failed: staying.After);

    /// <returns>Whether anything had to be done.</returns>
    /// <exception cref="StepFailedException">A step failed; its hint says what became of what was before.</exception>
    /// <exception cref="McpException">plan.changed, volume.held, port.in_use, component.unknown: nothing was touched.</exception>
    public async Task<bool> DeployAsync(ServiceDefinition service, DeployOptions options, StepReport? report, CancellationToken ct)
    {
        using var work = new Work(Work.Deploy, options.By, report);
        return await CarryOutAsync(service, options, work, ct);
    }

    /// <summary>The same for work that others may follow, and take back.</summary>
    public async Task<bool> CarryOutAsync(ServiceDefinition service, DeployOptions options, Work work, CancellationToken ct)
    {
        using var held = await locks.TakeAsync(service.Name, work, ct);
        registry.Sequences.Pass(service.Name, options.Number);
        // What is half done was begun after that plan was made. The master asks again, after it was killed, for what may be half done here.
        if (options.Plan is not null && !options.IfChanged && registry.Operations.Open().Any(o => o.Subject == service.Name.Text))
            throw RolloutPlan.Changed(service.Name);
        await SettleAsync(service.Name, ct);
        if (options.IfChanged
            && registry.Components.Find(service.Name) is { } there
            && RevisionCodec.Write(there.AsAsked) == RevisionCodec.Write(service.AsAsked))
        {
            return false;
        }

        try
        {
            return await PlannedAsync(service, options, work, ct);
        }
        catch (StepFailedException e) when (e.Undone && IsPlannedBlindly(e) && options.Plan is null)
        {
            // Nothing was touched, and by now the images are here to be looked into.
            registry.Releases.Drop(service.Name, registry.Releases.Last(service.Name));
            return await PlannedAsync(service, options, work, ct);
        }
    }

    /// <summary>Finishes or undoes what a kill or a failed undo left in the journal.</summary>
    public async Task ResumeAsync(JournalEntry entry, CancellationToken ct)
    {
        using var work = new Work(entry.Kind == Kind ? Work.Deploy : entry.Kind, "");
        using var held = await locks.TakeAsync(Label.Parse(entry.Subject), work, ct);
        try
        {
            await work.RunAsync(async () => await ResumeHeldAsync(entry, work, ct) ? new StepEvent() : throw Undone(entry));
        }
        catch (Exception e) when (IsUndone(e))
        {
            // Already an event; the generation before stands.
        }
    }

    public bool IsActive(Guid operation) => _active.ContainsKey(operation);

    private static string Told(RolloutPlan plan, Deployment deployment) => string.Join(
        "; ",
        [
            deployment.Summary(),
            .. plan.Changes.Where(c => c.Finds is not null).Select(c => $"{c.Component} {c.Finds}"),
            .. plan.Changes.Where(c => c.Declares is not null).Select(c => $"{c.Component}: {c.Declares}"),
        ]);

    // A new deploy builds on what the registry says, so nothing may be half done before it.
    private async Task SettleAsync(Label service, CancellationToken ct)
    {
        foreach (var entry in registry.Operations.Open().Where(o => o.Subject == service.Text))
        {
            if (entry.Kind == Undeployer.Kind)
                await undeployer.RunHeldAsync(entry, ct);
            else
                await ResumeBeforeAsync(entry, ct);
        }
    }

    // Its steps are not those of what waits for it.
    private async Task ResumeBeforeAsync(JournalEntry entry, CancellationToken ct)
    {
        using var before = new Work(Work.Deploy, "");
        try
        {
            await ResumeHeldAsync(entry, before, ct);
        }
        catch (Exception e) when (IsUndone(e))
        {
            // Already an event; the generation before stands.
        }
    }

    private static bool IsPlannedBlindly(StepFailedException e) => e.Reason.Code == ErrorCode.ImageVolumes;

    private static bool IsUndone(Exception e) =>
        e is StepFailedException { Undone: true } || (e is McpException known && known.Code == ErrorCode.DeployUndone);

    private static McpException Undone(JournalEntry entry) => new(
        ErrorCode.DeployUndone,
        $"the deploy of {entry.Subject} had failed{(entry.Why.Length > 0 ? $" ({entry.Why})" : "")} and was undone",
        "mcp events says more");

    // False: it was undone, or came to nothing.
    private async Task<bool> ResumeHeldAsync(JournalEntry entry, Work work, CancellationToken ct)
    {
        // An undeploy that came first has closed it.
        if (registry.Operations.Open().All(o => o.Id != entry.Id))
            return false;
        // What failed in this run of the agent is undone, also if the disk was too full to write that down.
        if (_undo.ContainsKey(entry.Id))
            entry = entry with { Undoing = true };
        if (Deployment.TryRead(entry.State) is not { } state || entry.Step < 0 || entry.Step >= steps.Count)
        {
            Abandon(entry);
            return false;
        }

        entry = LegacyJournal.Translate(entry, Kind, steps);
        // One that an older agent began has given numbers that are written down nowhere.
        foreach (var rollout in state.Rollouts)
            registry.Generations.Give(Label.Parse(entry.Subject), Label.Parse(rollout.Component), rollout.Generation);
        registry.Events.Add(entry.Subject, "", EventKind.DeployResumed, entry.Undoing ? "undoing" : $"from step {steps[entry.Step].Name}");
        await RunAsync(entry, work, ct);
        return !entry.Undoing;
    }

    private async Task<bool> PlannedAsync(ServiceDefinition service, DeployOptions options, Work work, CancellationToken ct)
    {
        var plan = await rollouts.PlanAsync(service, options, ct);
        plan.Expect(options.Plan);
        var deployment = plan.IsEmpty ? null : rollouts.Begin(plan);
        work.Report("plan", StepMark.Done, deployment is null ? "nothing changed" : Told(plan, deployment));
        if (deployment is null)
            return false;
        await RunAsync(Begin(service.Name, deployment, options), work, ct);
        return true;
    }

    // What it had started is left over beside what the registry says, and goes.
    private void Abandon(JournalEntry entry)
    {
        const string why = "the deploy was interrupted and its record cannot be read; deploy again";
        registry.Operations.Close(entry.Id, Outcome.Failed, why);
        registry.Events.Add(entry.Subject, "", EventKind.DeployFailed, why);
    }

    private JournalEntry Begin(Label service, Deployment deployment, DeployOptions options) => registry.Releases.Begin(
        service,
        Revision.Stored(deployment.Definition),
        options.By,
        options.Release,
        _ => new JournalEntry(Guid.NewGuid(), Kind, service.Text, 0, false, Deployment.Write(deployment)));

    private async Task RunAsync(JournalEntry entry, Work work, CancellationToken ct)
    {
        _active[entry.Id] = true;
        try
        {
            // A repair beside the operation before read what that one kept.
            await locks.QuietAsync(Label.Parse(entry.Subject), ct);
            var done = await _runner.CarryOutAsync(entry, work, ct);
            rollouts.Outages.Forget(done.Going().Select(o => o.Instance));
            var kind = entry.Undoing ? EventKind.DeployUndone : EventKind.DeployDone;
            var generations = done.Rollouts.Select(r => $"{r.Component} generation {r.Generation}");
            registry.Events.Add(entry.Subject, "", kind, string.Join(", ", generations));
            _undo.TryRemove(entry.Id, out _);
        }
        catch (OperationCanceledException e) when (ct.IsCancellationRequested)
        {
            throw new McpException(
                ErrorCode.AgentStopping,
                "the agent is stopping; the deploy continues when it is back",
                "mcp events shows how it ends",
                e);
        }
        catch (StepFailedException e)
        {
            if (!e.Undone)
                _undo[entry.Id] = true;
            var told = Told(entry, e);
            // See CarryOutAsync.
            if (!IsPlannedBlindly(e))
                Note(entry, $"step {e.Step}: {e.Message}; {told.Reason.Hint}");
            throw told;
        }
        finally
        {
            _active.TryRemove(entry.Id, out _);
        }
    }

    // What was done to what served before, as it was seen: "not touched" only where that is so.
    private StepFailedException Told(JournalEntry entry, StepFailedException e)
    {
        var before = Deployment.Read(entry.State).Going().Select(o => o.Instance).ToList();
        var truth = rollouts.Outages.Tell(before);
        if (e.Undone)
            rollouts.Outages.Forget(before);
        var hint = e.Reason.Hint.Length > 0 ? $"{truth}; {e.Reason.Hint}" : truth;
        return new StepFailedException(e.Step, new McpException(e.Reason.Code, e.Reason.Message, hint, e.Reason), e.UndoFailure);
    }

    private void Note(JournalEntry entry, string failure)
    {
        try
        {
            registry.Events.Add(entry.Subject, "", EventKind.DeployFailed, failure);
        }
        catch (SqliteException)
        {
            // A full disk must not hide why the deploy failed.
        }
    }
}
