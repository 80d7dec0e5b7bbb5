using Mcp.Daemon.Operations;
using Mcp.Master.Store;
using Mcp.Model;
using Mcp.Model.Names;

namespace Mcp.Master.Deploy.Steps;

/// <summary>Of a service that moved: removes it from the node where it was, once clients have had time to learn the new place. A node that is away is seen to later.</summary>
public sealed class LeaveStep(AgentStep agents, MasterStore store, TimeSpan settle, TimeProvider time) : IStep<FleetDeployment>
{
    public string Name => "leave";

    public async Task<FleetDeployment> RunAsync(FleetDeployment state, IProgress<string> progress, CancellationToken ct)
    {
        if (state.From is not { } from)
            return state;
        progress.Report($"{from} in {settle.TotalSeconds:0.#} s");
        await Task.Delay(settle, time, ct);
        try
        {
            await agents.RemoveAsync(Label.Parse(from), state.Service.Name, ct);
        }
        catch (McpException e)
        {
            store.Leftovers.Add(new Leftover(AgentStep.StepName, state.Service.Name.Text, from, FleetDeployment.Write(state with { Node = from, From = null }), e.Message));
            return state with { Why = e.Message };
        }

        return state with { Why = "" };
    }

    public Task UndoAsync(FleetDeployment state, CancellationToken ct) => Task.CompletedTask;

    public string Sum(FleetDeployment state) => state.From is null ? "it has not moved" : state.Why.Length == 0 ? $"removed from {state.From}" : $"{state.Why}; it is removed from {state.From} later";
}
