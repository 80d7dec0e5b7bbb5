using Mcp.Agent.Ports;
using Mcp.Daemon.Operations;

namespace Mcp.Agent.Deploy.Steps;

/// <summary>Gives each new instance its host ports.</summary>
public sealed class PortsStep(PortAllocator ports) : IStep<Deployment>
{
    public string Name => "ports";

    public Task<Deployment> RunAsync(Deployment state, IProgress<string> progress, CancellationToken ct)
    {
        foreach (var (component, instance, _) in state.Rolling())
            ports.Allocate(instance, component);
        return Task.FromResult(state);
    }

    public Task UndoAsync(Deployment state, CancellationToken ct)
    {
        foreach (var (_, instance, _) in state.Rolling())
            ports.Release(instance);
        return Task.CompletedTask;
    }
}
