using Mcp.Agent.Probes;
using Mcp.Agent.Reconcile;
using Mcp.Agent.Registry;
using Mcp.Daemon.Events;
using Mcp.Machine;
using Mcp.Model.Events;
using Mcp.Model.Instances;
using Mcp.Model.Names;

namespace Mcp.Agent.Recovery;

/// <summary>[boot] of agent.toml.</summary>
public sealed record BootOptions
{
    public IReadOnlyList<BootStage> Sequence { get; init; } = [];
}

/// <param name="Timeout">Time until the stage's services must be well.</param>
public sealed record BootStage(IReadOnlyList<Label> Services, TimeSpan Timeout);

/// <summary>After the agent's start, lets services come up stage by stage, each well before the next; those in no stage come last.
/// Stage 0 blocks until it is well; a later one that is late is an event, and the next one follows.</summary>
public sealed class BootSequence(
    IReadOnlyList<BootStage> stages,
    AgentRegistry registry,
    Reconciler reconciler,
    RestartKeeper restarts,
    HealthGate gate)
{
    private readonly Troubles _troubles = new(registry.Events, over: EventKind.BootWell, EventKind.BootLate);
    private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(250);

    /// <summary>Call before the reconciler starts: from here on it leaves alone what must wait.</summary>
    public void Hold()
    {
        if (stages.Count > 0)
            restarts.Waits = _ => true;
    }

    public async Task RunAsync(CancellationToken ct)
    {
        var released = new HashSet<Label>();
        for (var i = 0; i < stages.Count; i++)
        {
            // A new set each time: the reconciler reads the old one meanwhile.
            var now = released = [.. released, .. stages[i].Services];
            restarts.Waits = service => !now.Contains(service);
            reconciler.Trigger();
            await StageAsync(i, ct);
        }

        restarts.Waits = _ => false;
        reconciler.Trigger();
    }

    private async Task StageAsync(int number, CancellationToken ct)
    {
        var stage = stages[number];
        foreach (var unknown in stage.Services.Where(s => registry.Components.List(s).Count == 0))
            registry.Events.Add(unknown.Text, "", EventKind.BootUnknown, $"stage {number} names a service that is not on this node");
        var about = $"stage {number}";
        while (await LateAsync(stage, ct) is { } why)
        {
            var wait = number == 0 ? "; the later stages wait" : "";
            var late = $"not well after {stage.Timeout.TotalSeconds:0} s{wait}: {why.Detail}";
            _troubles.Tell(new TroubleKey(why.Service, "", about), late);
            if (number > 0)
                return;
        }

        foreach (var service in stage.Services)
            _troubles.Over(new TroubleKey(service.Text, "", about));
    }

    /// <returns>Null as soon as all is well; else what was not at the end of the stage's time.</returns>
    private async Task<(string Service, string Detail)?> LateAsync(BootStage stage, CancellationToken ct)
    {
        using var limit = new Within(stage.Timeout, ct);
        (string, string)? sick = null;
        while (true)
        {
            try
            {
                sick = await SickAsync(stage, limit.Token);
                if (sick is null)
                    return null;
                await Task.Delay(s_pause, limit.Token);
            }
            catch (OperationCanceledException) when (limit.IsOver)
            {
                return sick ?? (stage.Services[0].Text, "its runtime does not answer");
            }
            catch (Exception e) when (!ct.IsCancellationRequested)
            {
                sick = (stage.Services[0].Text, e.Message);
                await Task.Delay(s_pause, ct);
                if (limit.IsOver)
                    return sick;
            }
        }
    }

    private async Task<(string Service, string Detail)?> SickAsync(BootStage stage, CancellationToken ct)
    {
        foreach (var stored in stage.Services.SelectMany(s => registry.Components.List(s)).Where(c => c.Desired == DesiredState.Running))
        {
            if (await gate.AskAsync(stored.Definition, stored.Instance, ct) is { Healthy: false } verdict)
                return (stored.Service.Text, $"{stored.Instance}: {verdict.Told}");
        }

        return null;
    }
}
