using System.Collections.Concurrent;
using Mcp.Agent.Ports;
using Mcp.Agent.Proxy;
using Mcp.Agent.Registry;
using Mcp.Daemon.Operations;
using Mcp.Model.Errors;
using Mcp.Model.Events;
using Mcp.Model.Histories;
using Mcp.Model.Instances;
using Mcp.Model.Names;

namespace Mcp.Agent.Deploy;

/// <summary>Stops and removes a service. Journaled before its first side effect: what a kill or a failure interrupts is finished later.
/// </summary>
public sealed class Undeployer(AgentRegistry registry, RuntimeSet runtimes, PortAllocator ports, INodeProxy proxy, ServiceLocks locks)
{
    public const string Kind = "undeploy";
    private readonly ConcurrentDictionary<Guid, bool> _active = new();

    public bool IsActive(Guid operation) => _active.ContainsKey(operation);

    /// <param name="number">The master's; null: not from it.</param>
    /// <exception cref="McpException">service.unknown, request.superseded</exception>
    public async Task<IReadOnlyList<string>> UndeployAsync(Label service, RequestNumber? number, Work work, CancellationToken ct)
    {
        using var held = await locks.TakeAsync(service, work, ct);
        registry.Sequences.Pass(service, number);
        // A first deploy that was interrupted is in the journal only, and would bring the service up later.
        if (registry.Components.List(service).Count == 0 && registry.Operations.Open().All(o => o.Subject != service.Text))
        {
            throw new McpException(
                ErrorCode.ServiceUnknown,
                $"there is no service {service} on this node",
                "mcp list shows those that are");
        }

        var open = registry.Operations.Open().FirstOrDefault(o => o.Kind == Kind && o.Subject == service.Text);
        return await RunHeldAsync(open ?? new JournalEntry(Guid.NewGuid(), Kind, service.Text, 0, false, ""), ct);
    }

    public async Task<IReadOnlyList<string>> UndeployAsync(Label service, RequestNumber? number, CancellationToken ct)
    {
        using var work = new Work(Kind, "");
        return await UndeployAsync(service, number, work, ct);
    }

    public Task<IReadOnlyList<string>> UndeployAsync(Label service, CancellationToken ct) => UndeployAsync(service, number: null, ct);

    public async Task ResumeAsync(JournalEntry entry, CancellationToken ct)
    {
        using var work = new Work(Kind, "");
        using var held = await locks.TakeAsync(Label.Parse(entry.Subject), work, ct);
        await RunHeldAsync(entry, ct);
    }

    /// <summary>The caller holds the service's lock. Safe to repeat.</summary>
    public async Task<IReadOnlyList<string>> RunHeldAsync(JournalEntry entry, CancellationToken ct)
    {
        var service = Label.Parse(entry.Subject);
        _active[entry.Id] = true;
        try
        {
            registry.Operations.Save(entry);
            // A deploy that was to be undone or finished has nothing left to do it for, and must not bring the service back.
            foreach (var deploy in registry.Operations.Open().Where(o => o.Subject == entry.Subject && o.Id != entry.Id))
                registry.Operations.Close(deploy.Id, Outcome.Failed, "the service was undeployed");
            var components = registry.Components.List(service);
            foreach (var component in components)
                registry.Components.SetDesired(service, component.Definition.Name, DesiredState.Stopped);
            // Also numbers that only the runtime knows stay given.
            foreach (var instance in (await runtimes.ListAsync(ct)).Select(i => i.Name).Where(n => n.Service == service))
                registry.Generations.Give(service, instance.Component, instance.Generation);
            foreach (var instance in (await runtimes.ListAsync(ct)).Select(i => i.Name).Where(n => n.Service == service))
                await runtimes.EndAsync(instance, ct);
            ports.ReleaseAll(service);
            registry.Components.Delete(service);
            await proxy.PushIfThereAsync(ct);
            registry.Operations.Close(entry.Id, Outcome.Done);
            registry.Events.Add(service.Text, "", EventKind.UndeployDone, "");
            return [.. components.Select(c => $"removed {c.Instance}")];
        }
        finally
        {
            _active.TryRemove(entry.Id, out _);
        }
    }
}
