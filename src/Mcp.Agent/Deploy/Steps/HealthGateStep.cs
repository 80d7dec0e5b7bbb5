using Mcp.Agent.Probes;
using Mcp.Daemon.Operations;

namespace Mcp.Agent.Deploy.Steps;

/// <summary>Waits until every new instance is well.</summary>
public sealed class HealthGateStep(HealthGate gate) : IStep<Deployment>
{
    public string Name => "health";

    public async Task<Deployment> RunAsync(Deployment state, IProgress<string> progress, CancellationToken ct)
    {
        if (state.Service.Active)
        {
            foreach (var (component, instance, _) in state.Rolling())
                await gate.WaitAsync(component, instance, progress, ct);
        }

        return state;
    }

    public Task UndoAsync(Deployment state, CancellationToken ct) => Task.CompletedTask;
}
