using System.Diagnostics;
using System.Globalization;
using System.Text;
using Mcp.Agent.Deploy;
using Mcp.Agent.Ports;
using Mcp.Daemon.Doors;
using Mcp.Machine;
using Mcp.Model.Definition;
using Mcp.Model.Drift;
using Mcp.Model.Errors;
using Mcp.Model.Health;
using Mcp.Model.Instances;
using Mcp.Model.Names;
using Mcp.Runtimes;

namespace Mcp.Agent.Probes;

/// <summary>Says whether an instance is well: before the switch, and for a while after it. Without a health check its image's
/// HEALTHCHECK is asked; without that a routed component must accept connections, and any other must have run for as long as its
/// <see cref="ComponentDefinition.Watch"/>.</summary>
public sealed class HealthGate(RuntimeSet runtimes, PortAllocator ports, HealthProbe probe)
{
    private const int LastLines = 20;

    // Characters of each; all of it goes with the error.
    private const int LongestLine = 300;
    private const int AcceptTries = 150;

    // Bad answers in a row after the switch; where a watch is too short for so many, as many as fit, and never one alone.
    private const int MostBad = 3;
    private const int LeastBad = 2;
    private static readonly TimeSpan s_acceptEvery = TimeSpan.FromMilliseconds(100);

    // Of what has neither route nor check: to have run for a while, with its restarts.
    private static readonly TimeSpan s_leastBudget = TimeSpan.FromSeconds(15);
    private const int Watches = 3;

    /// <summary>Asks once.</summary>
    public async Task<HealthVerdict> AskAsync(ComponentDefinition component, InstanceName instance, CancellationToken ct)
    {
        var runtime = runtimes.For(component);
        var info = await runtime.InspectAsync(instance, ct);
        if (!Runs(info))
            return new HealthVerdict(false, "its state", Ending(info), Ended: HasEnded(info));
        return Effective(component, info) is { } check
            ? await ProbeAsync(component, check, instance, ct)
            : new HealthVerdict(true, "its state", "running");
    }

    /// <summary>Asks until it is well. One that ends before is started again, as its restart policy says.</summary>
    /// <exception cref="McpException">health.failed: it ended for good, or its tries are over; with what was probed, what came back and the
    /// last log lines.</exception>
    public async Task WaitAsync(ComponentDefinition component, InstanceName instance, IProgress<string> progress, CancellationToken ct)
    {
        var check = await CheckAsync(component, instance, ct);
        var budget = check is null ? Longer(s_leastBudget, component.Watch * Watches) : check.Interval * check.Retries;
        var life = new Life(component, instance, progress, budget);
        var pace = Pace(check);
        var wellSince = TimeSpan.Zero;
        for (var tries = 0; check is null || tries < check.Retries;)
        {
            var isFresh = await StoodUpAsync(life, ct);
            if (isFresh)
            {
                wellSince = life.Clock.Elapsed;
                pace.Begin();
            }
            else if (life.IsFinished || (check is null && life.Clock.Elapsed - wellSince >= component.Watch))
            {
                return;
            }

            var counts = pace.IsSteady;
            if (check is not null && !isFresh)
            {
                life.Last = await ProbeAsync(component, check, instance, ct);
                if (life.Last.Healthy)
                    return;
                if (counts)
                    progress.Report(string.Create(
                        CultureInfo.InvariantCulture,
                        $"{component.Name}: probe {tries + 1} of {check.Retries}: {life.Last.Brief}"));
            }

            tries += counts ? 1 : 0;
            await Task.Delay(pace.Next(), ct);
        }

        throw await FailureAsync(life, $"{instance} was not well after {check!.Retries} probes", ct);
    }

    /// <summary>Of one that was well: goes on at once where it still runs, and waits for it again where it has ended.</summary>
    /// <exception cref="McpException">health.failed</exception>
    public async Task InsistAsync(ComponentDefinition component, InstanceName instance, IProgress<string> progress, CancellationToken ct)
    {
        if (HasEnded(await runtimes.For(component).InspectAsync(instance, ct)))
            await WaitAsync(component, instance, progress, ct);
    }

    /// <summary>Looks at one that was well and serves now: it must neither end nor answer badly several times in a row.</summary>
    /// <param name="left">How long.</param>
    /// <exception cref="McpException">health.failed</exception>
    public async Task WatchAsync(ComponentDefinition component, InstanceName instance, TimeSpan left, CancellationToken ct)
    {
        var every = (await CheckAsync(component, instance, ct))?.Interval ?? s_acceptEvery;
        var most = Math.Clamp((int)Math.Min(left / every, MostBad), LeastBad, MostBad);
        var life = new Life(component, instance, progress: null, left);
        for (var bad = 0; life.Clock.Elapsed < left;)
        {
            if (await AskedAsync(component, instance, ct) is { } verdict)
            {
                if (verdict.Ended && await IsFinishedAsync(component, instance, ct))
                    return;
                life.Last = verdict.Ended ? null : verdict;
                if (verdict.Ended)
                    throw await FailureAsync(life, $"{instance} {verdict.Answered} {Since(life)} after it took over", ct);
                bad = verdict.Healthy ? 0 : bad + 1;
                if (bad == most)
                    throw await FailureAsync(life, $"{instance} was not well {most} times in a row after it took over", ct);
            }

            var rest = left - life.Clock.Elapsed;
            if (rest > TimeSpan.Zero)
                await Task.Delay(rest < every ? rest : every, ct);
        }
    }

    /// <summary>Asks until it is well, it has ended, or the limit is over; says what it was at last.</summary>
    public async Task<HealthVerdict> SettleAsync(ComponentDefinition component, InstanceName instance, TimeSpan limit, CancellationToken ct)
    {
        var pace = Pace(await CheckAsync(component, instance, ct));
        for (var clock = Stopwatch.StartNew(); ;)
        {
            var verdict = await AskAsync(component, instance, ct);
            if (verdict.Healthy || clock.Elapsed >= limit || verdict.Ended)
                return verdict;
            await Task.Delay(pace.Next(), ct);
        }
    }

    private static AskingPace Pace(HealthCheck? check) => check is null ? new(s_acceptEvery, s_acceptEvery) : AskingPace.Of(check);

    private static bool Runs(InstanceInfo? info) => info is { State: InstanceState.Running };

    // Of a runtime that does not know nothing follows.
    private static bool HasEnded(InstanceInfo? info) =>
        info is null or { State: InstanceState.Exited or InstanceState.Failed or InstanceState.Removed };

    private static string Ending(InstanceInfo? info) => info switch
    {
        null or { State: InstanceState.Removed } => "went away",
        _ when HasEnded(info) => $"ended with {info.Ending}",
        { State: InstanceState.Paused } => "is paused",
        _ => "is in an unknown state",
    };

    private static TimeSpan Longer(TimeSpan one, TimeSpan other) => one > other ? one : other;

    private static string Since(Life life) => string.Create(CultureInfo.InvariantCulture, $"{life.Clock.Elapsed.TotalSeconds:0.0} s");

    /// <summary>What is asked of a component: what its file says, or its image, or whether its first route accepts connections; null:
    /// nothing, it must have run for a while.</summary>
    internal static HealthCheck? Effective(ComponentDefinition component, InstanceInfo? info)
    {
        var firstPort = component.Routes.Count > 0 ? component.Routes[0].Port : (int?)null;
        if (component.Health is { } health)
        {
            var port = health.Port ?? firstPort;
            return health with { Port = port, Host = health.Host ?? component.Routes.FirstOrDefault(r => r.Port == port)?.Hostname };
        }

        if (info?.OwnCheck is { } own)
            return own;
        return firstPort is null
            ? null
            : new HealthCheck
            {
                Tcp = true,
                Port = firstPort,
                Interval = s_acceptEvery,
                Timeout = TimeSpan.FromSeconds(1),
                Retries = AcceptTries,
            };
    }

    private async Task<HealthCheck?> CheckAsync(ComponentDefinition component, InstanceName instance, CancellationToken ct) =>
        Effective(component, component.Health is null ? await runtimes.For(component).InspectAsync(instance, ct) : null);

    private async Task<HealthVerdict> ProbeAsync(
        ComponentDefinition component,
        HealthCheck check,
        InstanceName instance,
        CancellationToken ct)
    {
        var verdict = await probe.ProbeAsync(
            check, ports.HostPort(instance, component, check.Port ?? 0), instance, runtimes.For(component), ct);
        return component.Health is null && check.Exec.Count > 0
            ? verdict with { Probed = $"the image's HEALTHCHECK: {verdict.Probed}" }
            : verdict;
    }

    // Null: the runtime does not answer, which says nothing of the instance.
    private async Task<HealthVerdict?> AskedAsync(ComponentDefinition component, InstanceName instance, CancellationToken ct)
    {
        try
        {
            return await AskAsync(component, instance, ct);
        }
        catch (McpException)
        {
            return null;
        }
    }

    private async Task<bool> IsFinishedAsync(ComponentDefinition component, InstanceName instance, CancellationToken ct) =>
        await runtimes.For(component).InspectAsync(instance, ct) is { } info && DriftRules.IsFinished(component.Restart, info.ExitCode);

    // It runs, or has done what it was for; if it had ended, and its restart policy says so, it was started again. True: it was.
    private async Task<bool> StoodUpAsync(Life life, CancellationToken ct)
    {
        var runtime = runtimes.For(life.Component);
        var info = await runtime.InspectAsync(life.Instance, ct);
        if (!HasEnded(info))
            return false;
        life.IsFinished = life.Component.Health is null && info is not null && DriftRules.IsFinished(life.Component.Restart, info.ExitCode);
        if (life.IsFinished)
            return false;
        var pause = RestartBackoff.Pause(life.Ends++);
        var mayRestart = info is { State: not InstanceState.Removed }
            && DriftRules.Restarts(life.Component.Restart, info.ExitCode)
            && life.Ends < RestartBackoff.FlappingFrom
            && life.Clock.Elapsed + pause < life.Budget;
        if (!mayRestart)
            throw await FailureAsync(life, $"{life.Instance} {Ending(info)} before it was well{life.Times}", ct);
        life.Progress?.Report($"{life.Component.Name}: {Ending(info)}, and is started again");
        await Task.Delay(pause, ct);
        await runtime.StartAsync(life.Instance, ct);
        return true;
    }

    private async Task<McpException> FailureAsync(Life life, string what, CancellationToken ct)
    {
        var text = new StringBuilder(what);
        if (life.Last is { } last)
            text.Append($"\n  probed: {last.Probed}\n  answer: {last.Answered}");
        using var limit = new Within(TimeSpan.FromSeconds(5), ct);
        var lines = new List<string>();
        try
        {
            await foreach (var line in runtimes.For(life.Component).LogsAsync(life.Instance, new LogOptions(Tail: LastLines), limit.Token))
                lines.Add($"  | {Texts.Cut(line.Text, LongestLine)}");
        }
        catch (Exception e) when (!ct.IsCancellationRequested)
        {
            lines.Add($"  (its log could not be read: {e.Message})");
        }

        text.Append(lines.Count == 0 ? "\n  it logged nothing" : $"\n  its last log lines:\n{string.Join('\n', lines)}");
        return new McpException(ErrorCode.HealthFailed, text.ToString(), "correct the component or its health check")
        {
            Component = life.Component.Name,
        };
    }

    // What is known of an instance while it is looked at.
    private sealed class Life(ComponentDefinition component, InstanceName instance, IProgress<string>? progress, TimeSpan budget)
    {
        public Stopwatch Clock { get; } = Stopwatch.StartNew();

        public ComponentDefinition Component => component;

        public InstanceName Instance => instance;

        public IProgress<string>? Progress => progress;

        /// <summary>Within it, it may be started again.</summary>
        public TimeSpan Budget => budget;

        public int Ends { get; set; }

        public bool IsFinished { get; set; }

        public HealthVerdict? Last { get; set; }

        public string Times => Ends > 1 ? string.Create(CultureInfo.InvariantCulture, $", for the {Ordinal.Of(Ends)} time") : "";
    }
}
