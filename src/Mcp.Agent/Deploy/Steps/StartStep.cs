using Mcp.Agent.Ports;
using Mcp.Daemon.Operations;
using Mcp.Model;
using Mcp.Model.Definition;
using Mcp.Model.Names;

namespace Mcp.Agent.Deploy.Steps;

/// <summary>Starts the new instances beside the old ones; where a fixed port forbids that, stops the old one first.</summary>
public sealed class StartStep(RuntimeSet runtimes, PortAllocator ports) : IStep<Deployment>
{
    private const int PortTries = 5;
    private static readonly TimeSpan s_grace = TimeSpan.FromSeconds(10);

    public string Name => "start";

    public async Task<Deployment> RunAsync(Deployment state, IProgress<string> progress, CancellationToken ct)
    {
        if (!state.Service.Active)
            return state;
        foreach (var (component, instance, old) in state.Rolling())
        {
            // It may be of another runtime than the new one.
            if (component.StopFirst && old is not null && await runtimes.FindAsync(old, ct) is { } holder)
                await holder.StopAsync(old, s_grace, ct);
            await StartAsync(component, instance, ct);
        }

        return state;
    }

    public async Task UndoAsync(Deployment state, CancellationToken ct)
    {
        foreach (var (component, instance, old) in state.Rolling())
        {
            await runtimes.For(component).RemoveAsync(instance, ct);
            if (component.StopFirst && old is not null && state.PreviousService is { Active: true } && await runtimes.FindAsync(old, ct) is { } holder)
                await holder.StartAsync(old, ct);
        }
    }

    private async Task StartAsync(ComponentDefinition component, InstanceName instance, CancellationToken ct)
    {
        for (var tries = 1; ; tries++)
        {
            try
            {
                await runtimes.For(component).RunAsync(ports.Spec(instance, component), ct);
                return;
            }
            catch (McpException e) when (e.Code == "port.in_use" && component.Ports.Count == 0 && tries < PortTries)
            {
                // Someone took the port between allocation and start.
                ports.Release(instance);
                ports.Allocate(instance, component);
            }
        }
    }
}
