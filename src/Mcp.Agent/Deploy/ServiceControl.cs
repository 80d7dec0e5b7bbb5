using Mcp.Agent.Deploy.Steps;
using Mcp.Agent.Probes;
using Mcp.Agent.Proxy;
using Mcp.Agent.Registry;
using Mcp.Daemon.Operations;
using Mcp.Machine;
using Mcp.Model.Errors;
using Mcp.Model.Events;
using Mcp.Model.Instances;
using Mcp.Model.Names;

namespace Mcp.Agent.Deploy;

/// <summary>Start, stop, restart: the desired state first, then the runtime, so that a crash between is mended by the reconciler. What was
/// started is waited for until it is well.</summary>
public sealed class ServiceControl(
    AgentRegistry registry,
    RuntimeSet runtimes,
    Starter starter,
    INodeProxy proxy,
    ServiceLocks locks,
    RetireStep retire,
    HealthGate gate)
{
    private static readonly TimeSpan s_pushLimit = TimeSpan.FromSeconds(2);
    private static readonly Change s_start = new("started", DesiredState.Running, EventKind.ComponentStarted);
    private static readonly Change s_stop = new("stopped", DesiredState.Stopped, EventKind.ComponentStopped);
    private static readonly Change s_restart = new("restarted", DesiredState.Running, EventKind.ComponentRestarted);

    /// <summary>Raised after a person has started, stopped or restarted an instance.</summary>
    public event Action<InstanceName>? Changed;

    public Task<IReadOnlyList<string>> StartAsync(Label service, Label? component, Work work, CancellationToken ct) =>
        ChangeAsync(s_start, service, component, stored => RunAsync(stored, ct), work, ct);

    public Task<IReadOnlyList<string>> StopAsync(Label service, Label? component, Work work, CancellationToken ct) =>
        ChangeAsync(s_stop, service, component, stored => runtimes.StopAsync(stored.Instance, ct), work, ct);

    public Task<IReadOnlyList<string>> RestartAsync(Label service, Label? component, Work work, CancellationToken ct)
    {
        return ChangeAsync(s_restart, service, component, AgainAsync, work, ct);

        async Task AgainAsync(StoredComponent stored)
        {
            await runtimes.StopAsync(stored.Instance, ct);
            await RunAsync(stored, ct);
        }
    }

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
            {
                throw new McpException(
                    ErrorCode.PurgeFailed,
                    $"{instance} could not be removed{(done.Count == 0 ? "" : $" ({string.Join(", ", done)})")}",
                    "mcp events says why");
            }

            done.Add($"{(dryRun ? "would remove" : "removed")} {instance}");
        }

        return done;
    }

    /// <summary>Runs the stored component's current generation, making it anew where it is gone. The caller holds the service's
    /// lock.</summary>
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
        {
            throw new McpException(
                ErrorCode.DefinitionNewer,
                $"no new instance of {stored.Service}.{stored.Definition.Name} is made: {stored.Trouble}",
                "install the newer mcp-agent again, or deploy the service with this one");
        }

        await starter.AgainAsync(stored, ct);
        await proxy.PushAsync(ct);
    }

    private async Task<IReadOnlyList<string>> ChangeAsync(
        Change change,
        Label service,
        Label? component,
        Func<StoredComponent, Task> act,
        Work work,
        CancellationToken ct)
    {
        using var held = await locks.TakeAsync(service, work, ct);
        if (registry.Operations.Open().FirstOrDefault(o => o.Subject == service.Text) is { } open)
        {
            throw new McpException(
                ErrorCode.DeployUnfinished,
                $"an earlier deploy of {service} is still being {(open.Undoing ? "undone" : "finished")}",
                $"mcp events says why; mcp undeploy {service} drops it");
        }

        // All of it before anything is touched: what is refused has changed nothing.
        if (change.Desired == DesiredState.Running)
        {
            foreach (var stored in Find(service, component))
                await CheckAsync(stored, ct);
        }

        var done = new List<string>();
        foreach (var stored in Find(service, component))
        {
            registry.Components.SetDesired(service, stored.Definition.Name, change.Desired);
            // Before it, also for one that is started: what fails there leaves it wanted, and the reconciler starts it.
            await PushAsync(ct);
            await act(stored);
            registry.Events.Add(service.Text, stored.Definition.Name.Text, change.Kind, stored.Instance.ToString());
            Changed?.Invoke(stored.Instance);
            done.Add($"{change.Done} {stored.Instance}");
        }

        if (change.Desired == DesiredState.Running)
            await SettleAsync(Find(service, component), done, ct);
        return done;
    }

    // Who asks for it is told that it is stopped; a proxy that is away is told when it is back.
    private async Task PushAsync(CancellationToken ct)
    {
        try
        {
            using var limit = new Within(s_pushLimit, ct);
            await proxy.PushAsync(limit.Token);
        }
        catch (Exception e) when (e is McpException or OperationCanceledException && !ct.IsCancellationRequested)
        {
            // One that hangs is replaced, and its successor told.
        }
    }

    // It is wanted from now on, well or not: what does not get well is told, and kept up by its restart policy.
    private async Task SettleAsync(List<StoredComponent> started, List<string> done, CancellationToken ct)
    {
        var ill = new List<string>();
        foreach (var stored in started)
        {
            try
            {
                await gate.WaitAsync(stored.Definition, stored.Instance, new Progress<string>(), ct);
            }
            catch (McpException e) when (e.Code == ErrorCode.HealthFailed)
            {
                ill.Add(e.Message);
            }
        }

        if (ill.Count > 0)
        {
            throw new McpException(
                ErrorCode.HealthFailed,
                $"{string.Join(", ", done)}; {string.Join('\n', ill)}",
                "its restart policy decides whether it is started again; see mcp status and mcp logs");
        }
    }

    private async Task CheckAsync(StoredComponent stored, CancellationToken ct)
    {
        if (stored.Definition.Volumes.FirstOrDefault(v => v.IsHostPath && !Path.Exists(v.Source)) is { } missing)
        {
            throw new McpException(
                ErrorCode.VolumeMissing,
                $"the volume's host path {missing.Source} does not exist",
                $"create it on the node: mkdir -p {missing.Source}");
        }

        await runtimes.Guard.CheckAsync(
            $"{stored.Instance}",
            runtimes.Volumes.Root.Mounts(stored.Service, stored.Definition),
            holder => holder.Instance is { } other && (other == stored.Instance || registry.Components.AreTogether(stored.Instance, other)),
            ct);
    }

    private List<StoredComponent> Find(Label service, Label? component)
    {
        var all = registry.Components.List(service);
        if (all.Count == 0)
        {
            throw new McpException(
                ErrorCode.ServiceUnknown,
                $"there is no service {service} on this node",
                "mcp list shows those that are");
        }

        var found = all.Where(c => component is null || c.Definition.Name == component).ToList();
        if (found.Count > 0)
            return found;
        var has = string.Join(", ", all.Select(c => c.Definition.Name));
        throw new McpException(ErrorCode.ComponentUnknown, $"service {service} has no component {component}", $"it has: {has}");
    }

    /// <param name="Done">What is told of it, before the instance's name.</param>
    private sealed record Change(string Done, DesiredState Desired, EventKind Kind);
}
