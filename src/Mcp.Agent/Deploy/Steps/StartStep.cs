using Mcp.Agent.Proxy;
using Mcp.Daemon.Operations;

namespace Mcp.Agent.Deploy.Steps;

/// <summary>Starts the new instances that can run beside the old ones.</summary>
public sealed class StartStep(Starter starter, RuntimeSet runtimes, INodeProxy proxy) : IStep<Deployment>
{
    public string Name => "start";

    public async Task<Deployment> RunAsync(Deployment state, IProgress<string> progress, CancellationToken ct)
    {
        if (!state.Service.Active)
            return state;
        foreach (var rolling in state.Rolling().Where(r => !r.StopsFirst))
            await starter.StartAsync(rolling, ct);
        return state;
    }

    public async Task UndoAsync(Deployment state, CancellationToken ct)
    {
        foreach (var rolling in state.Rolling().Where(r => !r.StopsFirst))
        {
            // It may have served for a while.
            await proxy.DrainAsync(rolling.New, rolling.Component.Drain, Draining.All, ct);
            await runtimes.EndAsync(rolling.New, ct);
        }
    }
}
