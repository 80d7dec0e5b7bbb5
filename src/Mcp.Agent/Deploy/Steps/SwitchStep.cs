using Mcp.Agent.Proxy;
using Mcp.Agent.Registry;
using Mcp.Daemon.Operations;
using Mcp.Model.Definition;

namespace Mcp.Agent.Deploy.Steps;

/// <summary>Makes the new generation the one that counts: first in the registry, then in the node proxy.</summary>
/// <param name="certify">Has the service's names certified, as far as they need to be.</param>
public sealed class SwitchStep(ComponentsTable components, INodeProxy proxy, Func<ServiceDefinition, CancellationToken, Task> certify) : IStep<Deployment>
{
    public string Name => "switch";

    public async Task<Deployment> RunAsync(Deployment state, IProgress<string> progress, CancellationToken ct)
    {
        components.Store(state.Service, state.Rollouts.ToDictionary(r => r.Component, r => r.Generation));
        await certify(state.Service, ct);
        await proxy.PushAsync(ct);
        return state;
    }

    public async Task UndoAsync(Deployment state, CancellationToken ct)
    {
        if (state.PreviousService is { } previous)
            components.Store(previous, state.Rollouts.Concat(state.Removals).Where(r => r.OldGeneration > 0).ToDictionary(r => r.Component, r => r.OldGeneration));
        else
            components.Delete(state.Service.Name);
        await proxy.PushAsync(ct);
    }
}
