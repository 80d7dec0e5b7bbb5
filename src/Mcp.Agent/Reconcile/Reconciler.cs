using Mcp.Daemon.Errors;
using Mcp.Daemon.Events;
using Mcp.Daemon.Lifecycle;
using Mcp.Daemon.Operations;
using System.Threading.Channels;
using Mcp.Agent.Deploy;
using Mcp.Agent.Deploy.Steps;
using Mcp.Agent.Registry;
using Mcp.Machine;
using Mcp.Model.Definition;
using Mcp.Model.Drift;
using Mcp.Model.Errors;
using Mcp.Model.Events;
using Mcp.Model.Names;
using Mcp.Runtimes;

namespace Mcp.Agent.Reconcile;

/// <summary>Keeps what runs equal to what the registry wants: on runtime events, after changes, and every 15 s with a full
/// listing.</summary>
public sealed class Reconciler(
    AgentRegistry registry,
    RuntimeSet runtimes,
    ServiceControl control,
    ServiceLocks locks,
    RestartKeeper restarts,
    RetireStep retire,
    Sight sight) : IDisposable
{
    private static readonly TimeSpan s_settle = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan s_period = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan s_watchAgain = TimeSpan.FromSeconds(1);
    // One that takes longer goes on beside the next rounds.
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan s_lookedJustNow = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan s_soonest = TimeSpan.FromSeconds(1);
    private const int AtOnce = 8;
    private static readonly Pace s_pace = new(s_watchAgain, TimeSpan.FromSeconds(5));
    private readonly Troubles _troubles = new(registry.Events, over: EventKind.DriftMended, EventKind.DriftFailed);
    private readonly Channel<bool> _triggers = Channel.CreateBounded<bool>(
        new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropOldest });
    private readonly SemaphoreSlim _turns = new(AtOnce, AtOnce);
    private readonly Dictionary<Label, Task> _repairs = [];
    private volatile IReadOnlyList<DriftItem> _drift = [];
    private readonly Lock _soon = new();
    private Task _looking = Task.CompletedTask;
    private long _looked;

    public Sight Sight => sight;

    public IReadOnlyList<DriftItem> Drift => _drift;

    /// <summary>The same without what an operation under way is about: both generations of a component may be there, or none.</summary>
    public IEnumerable<DriftItem> Unexpected =>
        _drift.Where(d => locks.Of(d.Service) is null || KeptNow(d.Service).Contains(NameOf(d)));

    /// <summary>Looks at everything now.</summary>
    public void Trigger() => _triggers.Writer.TryWrite(true);

    /// <summary>Runs until cancelled. A runtime that cannot be watched is listed all the same.</summary>
    public Task RunAsync(Supervise supervise, CancellationToken ct) => Task.WhenAll(
    [
        supervise.KeepAsync("reconcile", LoopAsync, ct, s_pace),
        .. runtimes.All.Select(r => supervise.KeepAsync($"watching {r.Name}", t => WatchAsync(r, t), ct, s_pace)),
    ]);

    private async Task LoopAsync(CancellationToken ct)
    {
        while (!ct.IsCancellationRequested)
        {
            await RoundAsync(ct);
            using var wait = new Within(restarts.NextWithin(s_period), ct);
            try
            {
                var atOnce = await _triggers.Reader.ReadAsync(wait.Token);
                // Whoever stopped or removed an instance is still at it when the event comes; starting it again meanwhile leaves podman's
                // port forwarding in pieces. Events of one change also come in bursts.
                if (!atOnce)
                    await Task.Delay(s_settle, ct);
            }
            catch (OperationCanceledException)
            {
                // The period is over, or the agent stops.
            }
        }
    }

    /// <summary>Lists, compares, begins to mend, and waits for none that takes long: one slow stop delays nobody else.</summary>
    /// <remarks>One caller at a time.</remarks>
    public async Task RoundAsync(CancellationToken ct)
    {
        var drift = await RefreshAsync(ct);
        foreach (var service in Mendable(drift).Where(s => !_repairs.ContainsKey(s)))
            _repairs[service] = MendAsync(service, ct);
        await Task.WhenAny(Task.WhenAll(_repairs.Values), Task.Delay(s_patience, ct));
        foreach (var (service, repair) in _repairs.Where(r => r.Value.IsCompleted).ToList())
        {
            _repairs.Remove(service);
            await repair;
        }

        await TellAsync(ct);
    }

    /// <summary>Lists, compares, mends; returns the drift that was found.</summary>
    /// <exception cref="McpException">A runtime does not answer; what could be seen has been mended.</exception>
    public async Task<IReadOnlyList<DriftItem>> MendAsync(bool dryRun, CancellationToken ct)
    {
        var drift = await RefreshAsync(ct);
        if (!dryRun)
        {
            await Task.WhenAll(Mendable(drift).Select(s => MendAsync(s, ct)));
            await TellAsync(ct);
        }

        return sight.All.FirstOrDefault(s => s.Silent is not null) is { Silent: { } why } ? throw why : drift;
    }

    public void Dispose() => _turns.Dispose();

    private static List<Label> Mendable(IEnumerable<DriftItem> drift) =>
        [.. drift.Where(d => d.Repair is not (Repair.None or Repair.Report)).Select(d => d.Service).Distinct()];

    // Its components side by side; what is wrong with one of them in the order in which it was found.
    private async Task MendAsync(Label service, CancellationToken ct)
    {
        using var held = locks.TryTake(service);
        using var beside = held is null ? locks.TryBeside(service) : null;
        if (held is null && beside is null)
            return;
        // While a deploy holds the service, what it keeps is as it was, whatever becomes of the rest.
        var kept = held is null ? KeptNow(service) : null;
        var components = (await RefreshAsync(ct))
            .Where(d => d.Service == service && (kept is null || (kept.Contains(NameOf(d)) && Starts(d.Repair))))
            .GroupBy(d => d.Component);
        await Task.WhenAll(components.Select(async items =>
        {
            await _turns.WaitAsync(ct);
            try
            {
                foreach (var item in items)
                    await MendAsync(item, ct);
            }
            finally
            {
                _turns.Release();
            }
        }));
    }

    private static bool Starts(Repair repair) => repair is Repair.Recreate or Repair.Restart or Repair.Redeploy;

    private HashSet<InstanceName> KeptNow(Label service)
    {
        var open = registry.Operations.Open().FirstOrDefault(o => o.Subject == service.Text && o.Kind == Deployer.Kind);
        return locks.Of(service) is { What: Work.Deploy }
            && open is not null
            && Deployment.TryRead(open.State) is { Service.Active: true } deployment
                ? [.. deployment.Kept()]
                : [];
    }

    private async Task TellAsync(CancellationToken ct)
    {
        var left = (await RefreshAsync(ct)).Select(d => TroubleKey.Of(NameOf(d)));
        _troubles.OverExcept(left.ToHashSet(), "it is as it should be again");
    }

    /// <summary>The same after an operation, whose outcome it leaves as it is: what cannot be seen now, the next round sees and tells.
    /// </summary>
    public async Task LookAsync(CancellationToken ct)
    {
        try
        {
            await RefreshAsync(ct);
        }
        catch (OperationCanceledException)
        {
            // What was observed before stays.
        }
    }

    /// <summary>The same for whoever asks in a moment of doubt: as many as ask at once have one look, and none waits for long.</summary>
    public async Task LookSoonAsync(CancellationToken ct)
    {
        Task looking;
        lock (_soon)
        {
            if (_looking.IsCompleted && TimeProvider.System.GetElapsedTime(_looked) > s_lookedJustNow)
                (_looking, _looked) = (LookAsync(CancellationToken.None), TimeProvider.System.GetTimestamp());
            looking = _looking;
        }

        await looking.WaitAsync(s_soonest, ct).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    /// <summary>Lists and compares.</summary>
    public async Task<IReadOnlyList<DriftItem>> RefreshAsync(CancellationToken ct)
    {
        var seen = await sight.LookAsync(ct);
        var observed = seen.Values.Where(s => s.Silent is null).SelectMany(s => s.Instances).ToList();
        var stored = registry.Components.List();
        // Of a runtime that does not answer nothing is missing and nothing is left over.
        var desired = stored.Where(c => !IsSilent(c.Definition)).Select(
            c => new Desired(c.Service, c.Definition.Name, c.Generation, c.SpecHash, c.Desired, c.Definition.Restart))
            .ToList();
        var drift = DriftRules.Compare(desired, [.. observed.Select(o => new Observed(o.Name, o.State, o.ExitCode, o.SpecHash, o.Ending))]);
        var troubles = stored.Where(c => c.Trouble.Length > 0)
            .Select(c => new DriftItem(c.Service, c.Definition.Name, c.Generation, c.Trouble, Repair.Report));
        return _drift = [.. drift.Select(d => Left(d, stored)), .. troubles];

        bool IsSilent(ComponentDefinition component) =>
            runtimes.Find(component.Runtime) is { } runtime && seen.GetValueOrDefault(runtime) is { Silent: not null };
    }

    // An instance of a component that a deploy has removed from a service that is here, with a number that this registry gave: its end
    // failed then.
    private DriftItem Left(DriftItem item, List<StoredComponent> stored) =>
        item.Repair == Repair.Report
        && stored.Any(c => c.Service == item.Service)
        && stored.All(c => c.Service != item.Service || c.Definition.Name != item.Component)
        && registry.Generations.Last(item.Service, item.Component) >= item.Generation
            ? item with { What = "left over from a component that was removed", Repair = Repair.Remove }
            : item;

    private async Task MendAsync(DriftItem item, CancellationToken ct)
    {
        var stored = registry.Components.List(item.Service).FirstOrDefault(c => c.Definition.Name == item.Component);
        var name = NameOf(item);
        try
        {
            switch (item.Repair)
            {
                case Repair.Remove:
                    if (!await retire.RetireAsync(name, ct))
                        return;
                    break;
                case Repair.Stop when stored is not null:
                    await runtimes.StopAsync(name, ct);
                    break;
                case Repair.Recreate or Repair.Restart or Repair.Redeploy when stored is not null:
                    if (!restarts.May(name, out var count))
                        return;
                    if (count == Model.Health.RestartBackoff.FlappingFrom)
                        Note(EventKind.ComponentFlapping, $"{name} was restarted {count} times in a row");
                    await control.RunAsync(stored, ct);
                    break;
                default:
                    return;
            }

            Note(EventKind.DriftMended, DriftWords.Repaired(item));
            _troubles.Forget(TroubleKey.Of(name));
        }
        catch (Exception e) when (!ct.IsCancellationRequested)
        {
            _troubles.Tell(TroubleKey.Of(name), $"{item.What}: {FailureText.Of(e)}");
        }

        void Note(EventKind kind, string what) => registry.Events.Add(item.Service.Text, item.Component.Text, kind, what);
    }

    private static InstanceName NameOf(DriftItem item) => new(item.Service, item.Component, item.Generation);

    private async Task WatchAsync(IRuntime runtime, CancellationToken ct)
    {
        while (!ct.IsCancellationRequested)
        {
            // Something may have happened while nobody watched.
            Trigger();
            await foreach (var _ in runtime.WatchAsync(ct))
                _triggers.Writer.TryWrite(false);
            await Task.Delay(s_watchAgain, ct);
        }
    }
}
