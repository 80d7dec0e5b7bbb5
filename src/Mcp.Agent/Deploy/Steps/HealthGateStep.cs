using Mcp.Agent.Probes;
using Mcp.Daemon.Operations;

namespace Mcp.Agent.Deploy.Steps;

/// <summary>Waits until every new instance beside an old one is well; nothing that serves was touched until then.</summary>
public sealed class HealthGateStep(HealthGate gate) : IStep<Deployment>
{
    public string Name => "health";

    public async Task<Deployment> RunAsync(Deployment state, IProgress<string> progress, CancellationToken ct)
    {
        if (state.Service.Active)
        {
            foreach (var rolling in state.Rolling().Where(r => !r.StopsFirst))
                await gate.WaitAsync(rolling.Component, rolling.New, progress, ct);
        }

        return state;
    }

    public Task UndoAsync(Deployment state, CancellationToken ct) => Task.CompletedTask;
}
