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
            var beside = state.Rolling().Where(r => !r.StopsFirst).ToList();
            foreach (var rolling in beside)
                await gate.WaitAsync(rolling.Component, rolling.New, progress, ct);
            // While the others were waited for, one that was well may have ended.
            foreach (var rolling in beside.SkipLast(1))
                await gate.InsistAsync(rolling.Component, rolling.New, progress, ct);
        }

        return state;
    }

    public Task UndoAsync(Deployment state, CancellationToken ct) => Task.CompletedTask;
}
