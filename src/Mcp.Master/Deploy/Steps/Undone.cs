using Mcp.Daemon.Operations;

namespace Mcp.Master.Deploy.Steps;

/// <summary>A deploy's step, the other way: what an undeploy is made of.</summary>
public sealed class Undone(IStep<FleetDeployment> step) : IStep<FleetDeployment>
{
    public string Name => step.Name;

    public async Task<FleetDeployment> RunAsync(FleetDeployment state, IProgress<string> progress, CancellationToken ct)
    {
        await step.UndoAsync(state, ct);
        return state;
    }

    public Task UndoAsync(FleetDeployment state, CancellationToken ct) => Task.CompletedTask;
}
