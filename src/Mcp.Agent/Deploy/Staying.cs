using Mcp.Agent.Probes;
using Mcp.Model.Definition;
using Mcp.Model.Deploy;
using Mcp.Model.Errors;
using Mcp.Model.Names;

namespace Mcp.Agent.Deploy;

/// <summary>Whether a component with data of its own, that has been replaced and is well, stays when another one of the same deploy fails.
/// To take it back would stop it once more, and its older program may not open what the newer one has written.</summary>
public sealed class Staying(RuntimeSet runtimes, HealthGate gate, Planner planner)
{
    private static readonly TimeSpan s_most = TimeSpan.FromSeconds(15);

    /// <summary>What failed is known now: who may stay, as far as the plan says.</summary>
    public Deployment After(Deployment state, McpException failure) => failure.Component is not { } failed || state.PreviousService is null
        ? state
        : state with { Stays = [.. state.Rolling().Where(r => May(state, r, failed)).Select(r => r.Component.Name.Text)] };

    /// <summary>Those of them that are well now.</summary>
    public async Task<List<Rolling>> NowAsync(Deployment state, CancellationToken ct)
    {
        var stays = new List<Rolling>();
        foreach (var rolling in state.Rolling().Where(r => state.Stays?.Contains(r.Component.Name.Text) == true))
        {
            if (await runtimes.For(rolling.Component).InspectAsync(rolling.New, ct) is not null
                && await gate.SettleAsync(rolling.Component, rolling.New, Within(rolling.Component), ct) is { Healthy: true })
            {
                stays.Add(rolling);
            }
        }

        return stays;
    }

    /// <summary>Whether all that goes back is well beside what stays.</summary>
    public async Task<bool> GetOnAsync(Deployment state, IReadOnlyList<Rolling> stays, CancellationToken ct)
    {
        foreach (var old in state.Going().Where(o => o.Wanted && stays.All(s => s.Old != o.Instance)))
        {
            if (old.Definition is not { } component
                || await gate.SettleAsync(component, old.Instance, Within(component), ct) is not { Healthy: true })
            {
                return false;
            }
        }

        return true;
    }

    private static TimeSpan Within(ComponentDefinition component) =>
        component.Health is { } check && check.Interval * check.Retries < s_most ? check.Interval * check.Retries : s_most;

    // Whoever goes back must not need what it has.
    private bool May(Deployment state, Rolling rolling, Label failed)
    {
        var (service, component) = (state.Service.Name, rolling.Component);
        return rolling is { StopsFirst: true, Old: not null, OldWanted: true }
            && component.Name != failed
            && component.Volumes.Any(v => v is { Writable: true, Exclusive: true })
            && state.Before.Any(row => row.Name == component.Name.Text)
            && (state.PreviousService?.Components ?? []).All(
                c => c.Name == component.Name || planner.Clash(service, component, c) is null);
    }
}
