using Mcp.Agent.Deploy.Steps;
using Mcp.Agent.Ports;
using Mcp.Agent.Proxy;
using Mcp.Agent.Registry;
using Mcp.Daemon.Operations;
using Mcp.Model.Errors;
using Mcp.Model.Instances;
using Mcp.Model.Names;

namespace Mcp.Agent.Deploy;

/// <summary>Start, stop, restart: the desired state first, then the runtime, so that a crash between is mended by the reconciler.</summary>
public sealed class ServiceControl(AgentRegistry registry, RuntimeSet runtimes, PortAllocator ports, INodeProxy proxy, ServiceLocks locks, RetireStep retire)
{
    /// <summary>Raised after a person has started, stopped or restarted an instance.</summary>
    public event Action<InstanceName>? Changed;

    public Task<IReadOnlyList<string>> StartAsync(Label service, Label? component, CancellationToken ct) => ChangeAsync(service, component, DesiredState.Running, async stored =>
    {
        await RunAsync(stored, ct);
        return $"started {stored.Instance}";
    }, ct, stored => CheckAsync(stored, ct));

    public Task<IReadOnlyList<string>> StopAsync(Label service, Label? component, CancellationToken ct) => ChangeAsync(service, component, DesiredState.Stopped, async stored =>
    {
        await runtimes.StopAsync(stored.Instance, ct);
        return $"stopped {stored.Instance}";
    }, ct);

    public Task<IReadOnlyList<string>> RestartAsync(Label service, Label? component, CancellationToken ct) => ChangeAsync(service, component, DesiredState.Running, async stored =>
    {
        await runtimes.StopAsync(stored.Instance, ct);
        await RunAsync(stored, ct);
        return $"restarted {stored.Instance}";
    }, ct, stored => CheckAsync(stored, ct));

    /// <summary>Removes instances of mcp's that the registry does not know.</summary>
    public async Task<IReadOnlyList<string>> PurgeAsync(bool dryRun, CancellationToken ct)
    {
        var known = registry.Components.List().Select(c => (c.Service, c.Definition.Name)).ToHashSet();
        var done = new List<string>();
        foreach (var instance in (await runtimes.ListAsync(ct)).Select(i => i.Name).Where(n => !known.Contains((n.Service, n.Component))))
        {
            // A deploy that is under way knows instances that the registry does not know yet.
            using var held = locks.TryTake(instance.Service);
            if (held is null || registry.Components.List(instance.Service).Any(c => c.Definition.Name == instance.Component))
                continue;
            if (!dryRun && !await retire.RetireAsync(instance, ct))
                throw new McpException(ErrorCode.PurgeFailed, $"{instance} could not be removed{(done.Count == 0 ? "" : $" ({string.Join(", ", done)})")}", "mcp events says why");
            done.Add($"{(dryRun ? "would remove" : "removed")} {instance}");
        }

        return done;
    }

    /// <summary>Runs the stored component's current generation, making it anew where it is gone. The caller holds the service's lock.</summary>
    public async Task RunAsync(StoredComponent stored, CancellationToken ct)
    {
        if (await runtimes.FindAsync(stored.Instance, ct) is { } has
            && await has.InspectAsync(stored.Instance, ct) is { } existing
            && existing.SpecHash == stored.SpecHash
            && existing.State != InstanceState.Failed)
        {
            await has.StartAsync(stored.Instance, ct);
            return;
        }

        if (stored.Trouble.Length > 0)
            throw new McpException(ErrorCode.DefinitionNewer, $"no new instance of {stored.Service}.{stored.Definition.Name} is made: {stored.Trouble}", "install the newer mcp-agent again, or deploy the service with this one");
        var runtime = runtimes.For(stored.Definition);

        await runtime.PullAsync(stored.Definition.Image, null, ct);
        // Fresh ports: rules that a vanished container left behind would lead the old ones nowhere.
        ports.Release(stored.Instance);
        ports.Allocate(stored.Instance, stored.Definition);
        await runtime.RunAsync(ports.Spec(stored.Instance, stored.Definition, stored.SpecHash), ct);
        await proxy.PushAsync(ct);
    }

    private async Task<IReadOnlyList<string>> ChangeAsync(Label service, Label? component, DesiredState desired, Func<StoredComponent, Task<string>> act, CancellationToken ct, Func<StoredComponent, Task>? check = null)
    {
        using var held = await locks.TakeAsync(service, ct);
        if (registry.Operations.Open().FirstOrDefault(o => o.Subject == service.Text) is { } open)
        {
            throw new McpException(
                ErrorCode.DeployUnfinished,
                $"a deploy of {service} is not {(open.Undoing ? "undone" : "finished")} yet; it is tried again by itself",
                "mcp events says why; mcp undeploy ends it, too");
        }

        // All of it before anything is touched: what is refused has changed nothing.
        if (check is not null)
        {
            foreach (var stored in Find(service, component))
                await check(stored);
        }

        var done = new List<string>();
        foreach (var stored in Find(service, component))
        {
            registry.Components.SetDesired(service, stored.Definition.Name, desired);
            var what = await act(stored);
            registry.Events.Add(service.Text, stored.Definition.Name.Text, $"component.{what[..what.IndexOf(' ', StringComparison.Ordinal)]}", stored.Instance.ToString());
            Changed?.Invoke(stored.Instance);
            done.Add(what);
        }

        return done;
    }

    private async Task CheckAsync(StoredComponent stored, CancellationToken ct)
    {
        if (stored.Definition.Volumes.FirstOrDefault(v => !Path.Exists(v.Source)) is { } missing)
            throw new McpException(ErrorCode.VolumeMissing, $"the volume's host path {missing.Source} does not exist", $"create it on the node: mkdir -p {missing.Source}");
        await runtimes.Guard.CheckAsync(
            $"{stored.Instance}",
            stored.Definition.Volumes,
            holder => holder.Instance is { } other && (other == stored.Instance || registry.Components.AreTogether(stored.Instance, other)),
            ct);
    }

    private List<StoredComponent> Find(Label service, Label? component)
    {
        var all = registry.Components.List(service);
        if (all.Count == 0)
            throw new McpException(ErrorCode.ServiceUnknown, $"there is no service {service} on this node", "mcp list shows those that are");
        var found = all.Where(c => component is null || c.Definition.Name == component).ToList();
        return found.Count > 0 ? found : throw new McpException(ErrorCode.ComponentUnknown, $"service {service} has no component {component}", $"it has: {string.Join(", ", all.Select(c => c.Definition.Name))}");
    }
}
