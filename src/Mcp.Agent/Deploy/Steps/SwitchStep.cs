using Mcp.Agent.Proxy;
using Mcp.Agent.Registry;
using Mcp.Daemon.Operations;
using Mcp.Model.Definition;
using Mcp.Model.Instances;
using Mcp.Model.Names;

namespace Mcp.Agent.Deploy.Steps;

/// <summary>Makes the new generation the one that counts: first in the registry, then in the node proxy.</summary>
/// <param name="run">Names this run of the machine.</param>
/// <param name="certify">Has the service's names certified, as far as they need to be.</param>
public sealed class SwitchStep(
    ComponentsTable components,
    HoldsTable holds,
    INodeProxy proxy,
    Func<ServiceDefinition, CancellationToken, Task> certify,
    string run,
    TimeProvider time) : IStep<Deployment>
{
    public string Name => "switch";

    public async Task<Deployment> RunAsync(Deployment state, IProgress<string> progress, CancellationToken ct)
    {
        var service = state.Service;
        components.Store(service, Rows(state, service));
        await certify(service, ct);
        await proxy.PushAsync(ct);
        (progress as IServing)?.Serves();
        return state with { Switched = time.GetUtcNow(), Run = run };
    }

    // What runs beside serves again at once. For what was stopped clients wait until the step before has started it again.
    public async Task UndoAsync(Deployment state, CancellationToken ct)
    {
        if (state.PreviousService is not { } previous)
        {
            components.Delete(state.Service.Name);
        }
        else
        {
            var stays = state.Stays ?? [];
            foreach (var rolling in state.Rolling()
                .Where(r => r is { StopsFirst: true, OldWanted: true } && !stays.Contains(r.Component.Name.Text)))
            {
                holds.Set(state.Service.Name, rolling.Component.Name);
            }

            components.Store(previous, state.RowsBack([.. stays.Select(s => Label.Parse(s))]), holds: true);
        }

        await proxy.PushIfThereAsync(ct);
    }

    // What is kept keeps its row, as whatever version wrote it.
    private List<ComponentRow> Rows(Deployment state, ServiceDefinition service)
    {
        var kept = components.List(service.Name).ToDictionary(c => c.Row.Name, c => c.Row);
        var rolling = state.Rollouts.ToDictionary(r => r.Component);
        var desired = service.Active ? DesiredState.Running : DesiredState.Stopped;
        return [.. service.Components.Select(c => rolling.TryGetValue(c.Name.Text, out var rollout)
            ? ComponentRow.Of(c, rollout.Generation, desired) with { SpecHash = rollout.Revision }
            : service.Active ? kept[c.Name.Text] : kept[c.Name.Text] with { Desired = nameof(DesiredState.Stopped) })];
    }
}
