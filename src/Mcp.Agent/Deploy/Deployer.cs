using System.Collections.Concurrent;
using Mcp.Agent.Registry;
using Mcp.Daemon.Operations;
using Mcp.Model;
using Mcp.Model.Definition;
using Mcp.Model.Names;
using Microsoft.Data.Sqlite;

namespace Mcp.Agent.Deploy;

/// <summary>Deploys a service, health-gated and without a gap: pull, ports, start beside, health, switch, retire. Journaled; a killed agent finishes it at its next start.</summary>
public sealed class Deployer(IReadOnlyList<IStep<Deployment>> steps, AgentRegistry registry, Undeployer undeployer, ServiceLocks locks)
{
    private const string Kind = "deploy";
    private readonly ConcurrentDictionary<Guid, bool> _active = new();
    private readonly ConcurrentDictionary<Guid, bool> _undo = new();
    private readonly OperationRunner<Deployment> _runner = new(steps, registry.Operations, Deployment.Write, Deployment.Read);

    /// <param name="only">Only this component; null: all.</param>
    /// <param name="ifChanged">Nothing to do where this very definition is deployed already.</param>
    /// <param name="sequence">The master's; 0: not from it.</param>
    /// <exception cref="StepFailedException">A step failed; what was before still stands.</exception>
    public async Task DeployAsync(ServiceDefinition service, Label? only, StepReport? report, CancellationToken ct, bool ifChanged = false, long sequence = 0)
    {
        using var held = await locks.TakeAsync(service.Name, ct);
        registry.Sequences.Pass(service.Name, sequence);
        await SettleAsync(service.Name, ct);
        if (ifChanged && registry.Components.Find(service.Name) is { } there && ServiceFileWriter.Write(there) == ServiceFileWriter.Write(service))
            return;
        var deployment = Prepare(service, only);
        await RunAsync(new JournalEntry(Guid.NewGuid(), Kind, service.Name.Text, 0, false, Deployment.Write(deployment)), report, ct);
    }

    /// <summary>Finishes or undoes what a kill or a failed undo left in the journal.</summary>
    public async Task ResumeAsync(JournalEntry entry, CancellationToken ct)
    {
        using var held = await locks.TakeAsync(Label.Parse(entry.Subject), ct);
        await ResumeHeldAsync(entry, ct);
    }

    public bool IsActive(Guid operation) => _active.ContainsKey(operation);

    // A new deploy builds on what the registry says, so nothing may be half done before it.
    private async Task SettleAsync(Label service, CancellationToken ct)
    {
        foreach (var entry in registry.Operations.Open().Where(o => o.Subject == service.Text))
        {
            if (entry.Kind == Undeployer.Kind)
                await undeployer.RunHeldAsync(entry, ct);
            else
                await ResumeHeldAsync(entry, ct);
        }
    }

    private async Task ResumeHeldAsync(JournalEntry entry, CancellationToken ct)
    {
        // An undeploy that came first has closed it.
        if (registry.Operations.Open().All(o => o.Id != entry.Id))
            return;
        // What failed in this run of the agent is undone, also if the disk was too full to write that down.
        if (_undo.ContainsKey(entry.Id))
            entry = entry with { Undoing = true };
        registry.Events.Add(entry.Subject, "", "deploy.resumed", entry.Undoing ? "undoing" : $"from step {steps[entry.Step].Name}");
        try
        {
            await RunAsync(entry, null, ct);
        }
        catch (StepFailedException e) when (e.Undone)
        {
            // Already an event; the generation before stands.
        }
    }

    private async Task RunAsync(JournalEntry entry, StepReport? report, CancellationToken ct)
    {
        _active[entry.Id] = true;
        try
        {
            var done = await _runner.RunAsync(entry, report, ct);
            registry.Events.Add(entry.Subject, "", entry.Undoing ? "deploy.undone" : "deploy.done", string.Join(", ", done.Rollouts.Select(r => $"{r.Component} generation {r.Generation}")));
            _undo.TryRemove(entry.Id, out _);
        }
        catch (StepFailedException e)
        {
            if (!e.Undone)
                _undo[entry.Id] = true;
            Note(entry, $"step {e.Step}: {e.Message}");
            throw;
        }
        finally
        {
            _active.TryRemove(entry.Id, out _);
        }
    }

    private void Note(JournalEntry entry, string failure)
    {
        try
        {
            registry.Events.Add(entry.Subject, "", "deploy.failed", failure);
        }
        catch (SqliteException)
        {
            // A full disk must not hide why the deploy failed.
        }
    }

    private Deployment Prepare(ServiceDefinition service, Label? only)
    {
        var stored = registry.Components.List(service.Name).ToDictionary(c => c.Definition.Name);
        var previous = registry.Components.Find(service.Name);
        var target = service;
        if (only is not null)
        {
            if (service.Components.All(c => c.Name != only))
                throw new McpException("component.unknown", $"service {service.Name} has no component {only}", $"it has: {string.Join(", ", service.Components.Select(c => c.Name))}");
            if (previous is not null)
                target = service with { Components = [.. previous.Components.Where(c => c.Name != only), service.Components.First(c => c.Name == only)] };
        }

        var rolling = target.Components.Where(c => only is null || previous is null || c.Name == only);
        var rollouts = rolling.Select(c => (c.Name, Old: stored.GetValueOrDefault(c.Name)?.Generation ?? 0)).Select(c => new Rollout(c.Name.Text, c.Old, c.Old + 1));
        var removals = stored.Values.Where(s => target.Components.All(c => c.Name != s.Definition.Name)).Select(s => new Rollout(s.Definition.Name.Text, s.Generation, 0));
        return new Deployment(ServiceFileWriter.Write(target), previous is null ? null : ServiceFileWriter.Write(previous), [.. rollouts], [.. removals]);
    }
}
