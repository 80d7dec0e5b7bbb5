using System.Collections.Concurrent;
using Mcp.Agent.Deploy;
using Mcp.Agent.Registry;
using Mcp.Daemon.Errors;
using Mcp.Daemon.Events;
using Mcp.Daemon.Lifecycle;
using Mcp.Daemon.Operations;
using Mcp.Machine;
using Mcp.Model.Definition;
using Mcp.Model.Errors;
using Mcp.Model.Events;
using Mcp.Model.Instances;
using Mcp.Model.Names;
using Mcp.Runtimes;

namespace Mcp.Agent.Probes;

/// <summary>Goes on asking what a deploy has asked. What answers badly three times in a row is unhealthy: that is told, and where its file
/// says so, or has a check of its own and no data that a restart could harm, it is stopped with its grace and started again. Nothing is
/// while much of the node fails at once, or the questions themselves come late: then the node is at fault.</summary>
public sealed class HealthKeeper : IDisposable
{
    /// <summary>Bad answers in a row.</summary>
    public const int MostBad = 3;

    /// <summary>Restarts without having been well in between; then it is told only.</summary>
    public const int MostRestarts = 5;

    private const int AtOnce = 8;

    // Programs inside instances cost more than questions from outside.
    private const int ExecsAtOnce = 4;
    private const int SlowAtOnce = 64;

    // A third of what is checked, and no fewer than this many.
    private const int LeastMany = 3;
    private static readonly TimeSpan s_round = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan s_again = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan s_slow = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan s_late = TimeSpan.FromSeconds(5);
    private static readonly TroubleKey s_node = TroubleKey.Of("");
    private readonly AgentRegistry _registry;
    private readonly RuntimeSet _runtimes;
    private readonly HealthGate _gate;
    private readonly ServiceLocks _locks;
    private readonly TimeProvider _time;
    private readonly SteadyTime _steady;
    private readonly Troubles _troubles;
    private readonly Troubles _overload;
    private readonly Turns _turns;
    private readonly Turns _exec;
    private readonly ConcurrentDictionary<(Label Service, Label Component), Watched> _watched = new();
    private long _lastRound;

    public HealthKeeper(AgentRegistry registry, RuntimeSet runtimes, HealthGate gate, ServiceLocks locks, TimeProvider time)
    {
        (_registry, _runtimes, _gate, _locks, _time) = (registry, runtimes, gate, locks, time);
        _steady = new SteadyTime(time);
        _troubles = new Troubles(registry.Events, over: EventKind.ComponentWell, EventKind.ComponentUnhealthy);
        _overload = new Troubles(registry.Events, over: EventKind.NodeSteady, EventKind.NodeOverloaded);
        _turns = new Turns(AtOnce, SlowAtOnce, s_slow, time);
        _exec = new Turns(ExecsAtOnce, SlowAtOnce, s_slow, time);
        _lastRound = time.GetTimestamp();
    }

    /// <summary>Why it is not well, as <see cref="HealthVerdict.Told"/>; null: it is, or nobody knows.</summary>
    public string? Of(Label service, Label component) => _watched.GetValueOrDefault((service, component))?.Why;

    /// <summary>What it answered last while it has time to become well; null: it was well since its start, or nobody knows.</summary>
    public string? StartOf(Label service, Label component) => _watched.GetValueOrDefault((service, component))?.Starting;

    public Task RunAsync(CancellationToken ct) => Supervise.EachAsync(s_round, RoundAsync, _time, ct);

    /// <summary>Begins the questions that are due, and waits for none of them beyond this round's.</summary>
    public async Task RoundAsync(CancellationToken ct)
    {
        var isLate = _time.GetElapsedTime(_lastRound) > s_late;
        _lastRound = _time.GetTimestamp();
        var wanted = _registry.Components.List()
            .Where(c => c.Desired == DesiredState.Running)
            .ToDictionary(c => (c.Service, c.Definition.Name));
        foreach (var gone in _watched.Keys.Where(k => !wanted.ContainsKey(k)).ToList())
        {
            _watched.TryRemove(gone, out _);
            _troubles.Forget(Key(gone.Service, gone.Component));
        }

        var due = wanted.Values.Select(Of).Where(w => w.IsDue(_steady.GetUtcNow())).ToList();
        if (isLate)
            due.ForEach(w => w.Bad = 0);
        foreach (var watched in due)
            watched.Begin(AskedAsync(watched, isLate, ct));
        await Task.WhenAny(Task.WhenAll(due.Select(w => w.Asking)), Task.Delay(s_round, _time, ct));
        IsOverloaded();
    }

    public void Dispose()
    {
        _turns.Dispose();
        _exec.Dispose();
    }

    private static TroubleKey Key(Label service, Label component) => new(service.Text, component.Text, "");

    private Watched Of(StoredComponent stored)
    {
        var watched = _watched.GetOrAdd((stored.Service, stored.Definition.Name), _ => new Watched(stored));
        watched.Become(stored);
        return watched;
    }

    private async Task AskedAsync(Watched watched, bool isLate, CancellationToken ct)
    {
        try
        {
            await AskAsync(watched, isLate, ct);
        }
        catch (Exception e) when (e is McpException or TimeoutException && !ct.IsCancellationRequested)
        {
            // Its runtime does not answer, which says nothing of it.
        }
        finally
        {
            watched.Next = _steady.GetUtcNow() + (watched.Check is { } check ? check.Every ?? check.DefaultEvery : s_again);
        }

        if (watched.Bad >= MostBad)
            await HealAsync(watched, ct);
    }

    private async Task AskAsync(Watched watched, bool isLate, CancellationToken ct)
    {
        var stored = watched.Stored;
        if (await InspectAsync(stored, ct) is not { } info)
            return;
        watched.Started(info.Started);
        if (HealthGate.Effective(stored.Definition, info) is not { } check)
        {
            (watched.IsUnchecked, watched.Starting) = (true, null);
            return;
        }

        watched.Check = check;
        var turns = check.Exec.Count > 0 ? _exec : _turns;
        (var verdict, watched.IsSlow) = await turns.TakeAsync(
            () => _gate.AskAsync(stored.Definition, stored.Instance, ct), watched.IsSlow, ct);
        if (!verdict.Healthy)
        {
            Count(watched, check, verdict, isLate, info.Started);
            return;
        }

        watched.Well();
        _troubles.Over(Key(stored.Service, stored.Definition.Name));
    }

    private async Task<InstanceInfo?> InspectAsync(StoredComponent stored, CancellationToken ct) =>
        (await _turns.TakeAsync(() => _runtimes.For(stored.Definition).InspectAsync(stored.Instance, ct), wasSlow: false, ct)).Result;

    private void Count(Watched watched, HealthCheck check, HealthVerdict verdict, bool isLate, DateTimeOffset? started)
    {
        var stored = watched.Stored;
        // What has ended is the reconciler's; what has never been well has its time to get there; a late prober blames nobody.
        var counts = !verdict.Ended && !isLate && (watched.WasWell || IsOver(stored.Definition, check, started));
        if (!counts)
        {
            var hasTime = !verdict.Ended && !watched.WasWell && !IsOver(stored.Definition, check, started);
            watched.Starting = hasTime ? verdict.Told : null;
            return;
        }

        watched.Starting = null;
        watched.Bad++;
        if (watched.Bad < MostBad)
            return;
        watched.Why = verdict.Told;
        _troubles.Tell(
            Key(stored.Service, stored.Definition.Name),
            $"{stored.Instance} is not well ({MostBad} times in a row): {watched.Why}");
    }

    private bool IsOver(ComponentDefinition component, HealthCheck check, DateTimeOffset? started) =>
        started is { } since && _time.GetUtcNow() - since > component.StartPeriod(check);

    private async Task HealAsync(Watched watched, CancellationToken ct)
    {
        var stored = watched.Stored;
        if (IsOverloaded() || watched.Restarts >= MostRestarts || Mode(stored.Definition) != OnUnhealthy.Restart)
            return;
        // An operation knows better what is to become of it.
        using var held = _locks.TryTake(stored.Service);
        if (held is null
            || _registry.Operations.Open().Any(o => o.Subject == stored.Service.Text)
            || _registry.Components.List(stored.Service).Find(c => c.Definition.Name == stored.Definition.Name) is not { } now
            || now.Instance != stored.Instance
            || now.Desired != DesiredState.Running)
        {
            return;
        }

        // Somebody has paused it, and knows why.
        if (await _runtimes.For(stored.Definition).InspectAsync(stored.Instance, ct) is not { State: InstanceState.Running })
            return;
        await RestartAsync(watched, ct);
    }

    private async Task RestartAsync(Watched watched, CancellationToken ct)
    {
        var stored = watched.Stored;
        watched.Restarts++;
        var why = watched.Why;
        watched.Again();
        try
        {
            await _runtimes.StopAsync(stored.Instance, ct);
            await _runtimes.For(stored.Definition).StartAsync(stored.Instance, ct);
            Note(
                EventKind.ComponentHealed,
                $"{stored.Instance} was started again ({watched.Restarts} of at most {MostRestarts} times): {why}");
        }
        catch (Exception e) when (!ct.IsCancellationRequested)
        {
            // What ended and did not start again, the reconciler starts.
            Note(EventKind.ComponentUnhealthy, $"{stored.Instance} was stopped and could not be started again: {FailureText.Of(e)}");
        }

        void Note(EventKind kind, string what) =>
            _registry.Events.Add(stored.Service.Text, stored.Definition.Name.Text, kind, what);
    }

    private bool IsOverloaded()
    {
        var failing = _watched.Values.Count(w => w.Bad > 0);
        var isSo = failing >= LeastMany && failing * 3 >= _watched.Values.Count(w => w.Check is not null);
        if (isSo)
            _overload.Tell(s_node, "many components of this node are unhealthy at once, so mcp restarts none of them");
        else
            _overload.Over(s_node, "fewer components of this node are unhealthy; mcp restarts them again");
        return isSo;
    }

    private static OnUnhealthy Mode(ComponentDefinition component) =>
        component.Health?.OnUnhealthy
        ?? (component.Health is not null && component.Volumes.All(v => v.ReadOnly) ? OnUnhealthy.Restart : OnUnhealthy.Report);

    // One component, over its generations and starts.
    private sealed class Watched(StoredComponent stored)
    {
        private DateTimeOffset? _started;

        public StoredComponent Stored { get; private set; } = stored;

        public DateTimeOffset Next { get; set; }

        public Task Asking { get; private set; } = Task.CompletedTask;

        public bool WasWell { get; private set; }

        /// <summary>Its last question took long.</summary>
        public bool IsSlow { get; set; }

        public int Bad { get; set; }

        public int Restarts { get; set; }

        public string? Why { get; set; }

        public string? Starting { get; set; }

        /// <summary>As it was asked last; null: not yet.</summary>
        public HealthCheck? Check { get; set; }

        /// <summary>Neither its file nor its image says what to ask.</summary>
        public bool IsUnchecked { get; set; }

        public bool IsDue(DateTimeOffset now) => now >= Next && Asking.IsCompleted && !IsUnchecked;

        public void Begin(Task asking) => Asking = asking;

        public void Become(StoredComponent now)
        {
            if (now.Instance != Stored.Instance)
                (WasWell, Bad, Restarts, Why, Starting, _started, Check, IsUnchecked) = (false, 0, 0, null, null, null, null, false);
            Stored = now;
        }

        /// <summary>What it was before its last start does not count.</summary>
        public void Started(DateTimeOffset? at)
        {
            if (_started != at)
                (WasWell, Bad, Starting) = (false, 0, null);
            _started = at;
        }

        public void Well() => (WasWell, Bad, Restarts, Why, Starting) = (true, 0, 0, null, null);

        public void Again() => (WasWell, Bad) = (false, 0);
    }
}
