using Mcp.Agent.Registry;
using Mcp.Daemon.Operations;
using Mcp.Model;
using Mcp.Model.Definition;
using Mcp.Model.Names;

namespace Mcp.Agent.Deploy;

/// <summary>Deploys a service, health-gated and without a gap: pull, ports, start beside, health, switch, retire. Journaled; a killed agent finishes it at its next start.</summary>
public sealed class Deployer(IReadOnlyList<IStep<Deployment>> steps, AgentRegistry registry, ServiceLocks locks)
{
    private const string Kind = "deploy";
    private readonly OperationRunner<Deployment> _runner = new(steps, registry.Operations, Deployment.Write, Deployment.Read);

    /// <param name="only">Only this component; null: all.</param>
    /// <exception cref="StepFailedException">A step failed; what was before still stands.</exception>
    public async Task DeployAsync(ServiceDefinition service, Label? only, Action<string, StepMark, string>? report, CancellationToken ct)
    {
        using var held = await locks.TakeAsync(service.Name, ct);
        await DeployHeldAsync(service, only, report, ct);
    }

    /// <summary>The same for a caller that holds the service's lock.</summary>
    public async Task DeployHeldAsync(ServiceDefinition service, Label? only, Action<string, StepMark, string>? report, CancellationToken ct)
    {
        var deployment = Prepare(service, only);
        var entry = new JournalEntry(Guid.NewGuid(), Kind, service.Name.Text, 0, false, Deployment.Write(deployment));
        await RunAsync(entry, report, ct);
    }

    /// <summary>Finishes or undoes what a killed agent left in the journal.</summary>
    public async Task ResumeAsync(JournalEntry entry, CancellationToken ct)
    {
        using var held = await locks.TakeAsync(Label.Parse(entry.Subject), ct);
        registry.Events.Add(entry.Subject, "", "deploy.resumed", entry.Undoing ? "undoing" : $"from step {steps[entry.Step].Name}");
        try
        {
            await RunAsync(entry, null, ct);
        }
        catch (StepFailedException)
        {
            // Already an event; the generation before stands.
        }
    }

    public IReadOnlyList<JournalEntry> Unfinished() => [.. registry.Operations.Open().Where(o => o.Kind == Kind)];

    private async Task RunAsync(JournalEntry entry, Action<string, StepMark, string>? report, CancellationToken ct)
    {
        try
        {
            var done = await _runner.RunAsync(entry, report, ct);
            registry.Events.Add(entry.Subject, "", entry.Undoing ? "deploy.undone" : "deploy.done", string.Join(", ", done.Rollouts.Select(r => $"{r.Component} generation {r.Generation}")));
        }
        catch (StepFailedException e)
        {
            registry.Events.Add(entry.Subject, "", "deploy.failed", $"step {e.Step}: {e.Message}");
            throw;
        }
    }

    private Deployment Prepare(ServiceDefinition service, Label? only)
    {
        var stored = registry.Components.List(service.Name).ToDictionary(c => c.Definition.Name);
        var previous = registry.Components.Find(service.Name);
        var target = service;
        if (service.Components.SelectMany(c => c.Routes).FirstOrDefault(r => r.Mode == RouteMode.L4) is { } passed)
            throw new McpException("route.l4", $"route {passed.Name} is l4, which the node proxy cannot carry yet", "use mode = \"l7\", or a fixed port (ports = [...])");
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
