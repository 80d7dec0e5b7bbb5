using Mcp.Agent.Ports;
using Mcp.Agent.Registry;
using Mcp.Daemon.Operations;

namespace Mcp.Agent.Deploy.Steps;

/// <summary>Gives each new instance its host ports.</summary>
public sealed class PortsStep(PortAllocator ports, ComponentsTable components) : IStep<Deployment>
{
    public string Name => "ports";

    public Task<Deployment> RunAsync(Deployment state, IProgress<string> progress, CancellationToken ct)
    {
        foreach (var rolling in state.Rolling())
            ports.Allocate(rolling.New, rolling.Component);
        return Task.FromResult(state);
    }

    public Task UndoAsync(Deployment state, CancellationToken ct)
    {
        var stay = components.List(state.Service.Name).Select(c => c.Instance).ToHashSet();
        foreach (var rolling in state.Rolling().Where(r => !stay.Contains(r.New)))
            ports.Release(rolling.New);
        return Task.CompletedTask;
    }
}
