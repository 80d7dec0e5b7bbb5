using Mcp.Agent.Probes;
using Mcp.Agent.Proxy;
using Mcp.Agent.Registry;
using Mcp.Daemon.Operations;
using Mcp.Model.Deploy;
using Mcp.Model.Errors;
using Mcp.Model.Events;
using Mcp.Model.Instances;
using Mcp.Model.Names;
using Mcp.Runtimes;

namespace Mcp.Agent.Deploy.Steps;

/// <summary>Stop-first, one component after the other, once all others are well: clients wait at the node proxy, the old instance and
/// whoever loses a volume or a port to the new one end, the new one starts and goes through its gate. Undone: the new one ends, the old
/// ones start again; see <see cref="Staying"/> for those that need not.</summary>
public sealed class ReplaceStep(
    AgentRegistry registry,
    RuntimeSet runtimes,
    INodeProxy proxy,
    HealthGate gate,
    ReplaceParts parts) : IStep<Deployment>
{
    public const string StepName = "replace";
    private static readonly TimeSpan s_undoGate = TimeSpan.FromMinutes(1);

    // What a start fails of that is nobody's fault of ours.
    private static readonly ErrorCode[] s_startFailures =
    [
        ErrorCode.VolumeHeld, ErrorCode.VolumeMissing, ErrorCode.VolumeFill,
        ErrorCode.InstanceStart, ErrorCode.PortInUse, ErrorCode.PortAddress,
    ];

    public string Name => StepName;

    public async Task<Deployment> RunAsync(Deployment state, IProgress<string> progress, CancellationToken ct)
    {
        if (!state.Service.Active)
            return state;
        foreach (var rolling in state.Rolling().Where(r => r.StopsFirst))
        {
            foreach (var old in Losing(state, rolling))
                await StopAsync(old.Instance, progress, ct);
            progress.Report($"{rolling.Component.Name}: starts");
            await parts.Starter.StartAsync(rolling, ct);
            await gate.WaitAsync(rolling.Component, rolling.New, progress, ct);
        }

        return state;
    }

    public async Task UndoAsync(Deployment state, CancellationToken ct)
    {
        var stays = await parts.Staying.NowAsync(state, ct);
        await BackAsync(state, state.Rolling().Where(r => stays.All(s => s.New != r.New)), ct);
        if (stays.Count > 0 && !await parts.Staying.GetOnAsync(state, stays, ct))
        {
            await BackAsync(state, stays, ct);
            stays = [];
        }

        foreach (var stayed in stays)
            parts.Outages.Stays(stayed.Old!, stayed.New);
        if (state.Stays is { Count: > 0 } && state.PreviousService is { } previous)
            registry.Components.Store(previous, state.RowsBack([.. stays.Select(s => s.Component.Name)]), holds: true);
        registry.Holds.Clear(state.Service.Name);
        await proxy.PushIfThereAsync(ct);
    }

    private async Task BackAsync(Deployment state, IEnumerable<Rolling> all, CancellationToken ct)
    {
        var back = new List<Going>();
        foreach (var rolling in all.Where(r => r.StopsFirst).Reverse())
        {
            // It may have served for a while. Seen ended before anything of before starts.
            await proxy.DrainAsync(rolling.New, rolling.Component.Drain, Draining.Requests, ct);
            await runtimes.EndAsync(rolling.New, ct);
            back.AddRange(Losing(state, rolling).Where(o => o.Wanted && back.All(b => b.Instance != o.Instance)));
        }

        foreach (var old in back)
            await StartAgainAsync(old, ct);
    }

    private async Task StopAsync(InstanceName old, IProgress<string> progress, CancellationToken ct)
    {
        if (await runtimes.FindAsync(old, ct) is null)
            return;
        registry.Holds.Set(old.Service, old.Component);
        await proxy.PushAsync(ct);
        progress.Report($"{old.Component}: waits for requests under way");
        await proxy.DrainAsync(old, await runtimes.DrainOfAsync(old, ct), Draining.Requests, ct);
        progress.Report($"{old.Component}: stops");
        await runtimes.StopAsync(old, ct);
        parts.Outages.Stopped(old);
    }

    private async Task StartAgainAsync(Going old, CancellationToken ct)
    {
        // One that somebody removed is made anew by the reconciler.
        if (await runtimes.FindAsync(old.Instance, ct) is not { } runtime)
            return;
        // Never stopped, or started already by an undo that was cut off.
        var runs = await runtime.InspectAsync(old.Instance, ct) is { State: InstanceState.Running or InstanceState.Paused };
        if (runs && !parts.Outages.IsStopped(old.Instance))
            return;
        var verdict = await StartedAsync(runtime, old, ct);
        parts.Outages.StartedAgain(old.Instance, verdict);
        if (verdict is { Healthy: false })
        {
            registry.Events.Add(old.Instance.Service.Text, old.Instance.Component.Text, EventKind.DeployUndoUnwell,
                $"{old.Instance} was to run again and is not well: {verdict.Told}");
        }
    }

    // It may not open data that the newer one has changed, and somebody else may have its volume or its port by now. Either is told; it
    // stays wanted, and the reconciler tries again.
    private async Task<HealthVerdict> StartedAsync(IRuntime runtime, Going old, CancellationToken ct)
    {
        try
        {
            await runtime.StartAsync(old.Instance, ct);
        }
        catch (McpException e) when (s_startFailures.Contains(e.Code))
        {
            return new HealthVerdict(false, "its start", e.Message, Ended: true);
        }

        return old.Definition is { } definition
            ? await gate.SettleAsync(definition, old.Instance, s_undoGate, ct)
            : new HealthVerdict(false, "its stored definition", "it cannot be read, so its health is not known");
    }

    // Its own old one, and whoever else has what it alone may have.
    private IEnumerable<Going> Losing(Deployment state, Rolling rolling) => state.Going().Where(old =>
        old.Instance == rolling.Old
            || (old.Definition is { } definition && parts.Planner.Clash(state.Service.Name, rolling.Component, definition) is not null));
}

/// <summary>What the step needs besides.</summary>
public sealed record ReplaceParts(Starter Starter, Planner Planner, Outages Outages, Staying Staying);
