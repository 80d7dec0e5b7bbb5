using System.Collections.Concurrent;
using Mcp.Daemon.Operations;
using Mcp.Master.Store;
using Mcp.Model;
using Mcp.Model.Definition;
using Mcp.Model.Names;

namespace Mcp.Master.Deploy;

/// <summary>Deploys a service on the fleet: place, deploy, dns, edge, record, leave. A step that fails stops the later ones, and what was done stands: the same command goes on from there. A killed master goes on by itself.</summary>
/// <param name="check">Throws for a service that this fleet cannot have as it is.</param>
public sealed class FleetDeployer(IReadOnlyList<IStep<FleetDeployment>> steps, MasterStore store, Action<ServiceDefinition> check, FleetUndeployer undeployer, ServiceLocks locks)
{
    public const string Kind = "deploy";
    private readonly ConcurrentDictionary<Guid, bool> _active = new();
    private readonly OperationRunner<FleetDeployment> _runner = new(steps, store.Operations, FleetDeployment.Write, FleetDeployment.Read, OnFailure.Stop);

    /// <exception cref="McpException">route.*, edge.*: a hostname that the service may not have; nothing was touched.</exception>
    /// <exception cref="StepFailedException">A step failed.</exception>
    public async Task DeployAsync(FleetDeployment deployment, StepReport? report, CancellationToken ct)
    {
        var service = deployment.Service;
        Check(service);
        using var held = await locks.TakeAsync(service.Name, ct);
        foreach (var entry in store.Operations.Open().Where(o => o.Subject == service.Name.Text))
            await ResumeHeldAsync(entry, ct);
        await RunAsync(new JournalEntry(Guid.NewGuid(), Kind, service.Name.Text, 0, false, FleetDeployment.Write(deployment)), report, ct);
    }

    /// <summary>Goes on with a deploy or an undeploy that a kill interrupted.</summary>
    public async Task ResumeAsync(JournalEntry entry, CancellationToken ct)
    {
        using var held = await locks.TakeAsync(Label.Parse(entry.Subject), ct);
        if (store.Operations.Open().Any(o => o.Id == entry.Id))
            await ResumeHeldAsync(entry, ct);
    }

    public bool IsActive(Guid operation) => _active.ContainsKey(operation);

    /// <exception cref="McpException">route.*, edge.*</exception>
    public void Check(ServiceDefinition service) => check(service);

    private async Task ResumeHeldAsync(JournalEntry entry, CancellationToken ct)
    {
        if (entry.Kind == FleetUndeployer.Kind)
        {
            await undeployer.RunHeldAsync(entry, null, ct);
            return;
        }

        store.Events.Add(entry.Subject, "", "deploy.resumed", $"from step {steps[entry.Step].Name}");
        try
        {
            // What the agent has finished meanwhile is not done again.
            await RunAsync(entry with { State = FleetDeployment.Write(FleetDeployment.Read(entry.State) with { IfChanged = true }) }, null, ct);
        }
        catch (StepFailedException)
        {
            // Already an event; the journal is closed.
        }
    }

    private async Task RunAsync(JournalEntry entry, StepReport? report, CancellationToken ct)
    {
        _active[entry.Id] = true;
        try
        {
            var done = await _runner.RunAsync(entry, report, ct);
            store.Events.Add(entry.Subject, "", "deploy.done", done.From is null ? $"on {done.Node}" : $"moved from {done.From} to {done.Node}");
        }
        catch (StepFailedException e)
        {
            store.Events.Add(entry.Subject, "", "deploy.failed", $"step {e.Step}: {e.Message}");
            throw;
        }
        finally
        {
            _active.TryRemove(entry.Id, out _);
        }
    }
}
