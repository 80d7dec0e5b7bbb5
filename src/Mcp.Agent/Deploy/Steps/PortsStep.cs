using Mcp.Agent.Ports;
using Mcp.Daemon.Operations;

namespace Mcp.Agent.Deploy.Steps;

/// <summary>Gives each new instance its host ports.</summary>
public sealed class PortsStep(PortAllocator ports) : IStep<Deployment>
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
        foreach (var rolling in state.Rolling())
            ports.Release(rolling.New);
        return Task.CompletedTask;
    }
}
