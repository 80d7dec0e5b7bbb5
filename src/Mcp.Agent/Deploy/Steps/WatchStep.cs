using Mcp.Agent.Probes;
using Mcp.Daemon.Operations;
using Mcp.Model.Definition;

namespace Mcp.Agent.Deploy.Steps;

/// <summary>The new generation serves, and the old one is still there: what ends or answers badly now is taken back. An agent that was
/// killed goes on for what is left of the time; a machine that was started anew has ended both generations, and only the new one starts
/// there.</summary>
/// <param name="run">Names this run of the machine.</param>
public sealed class WatchStep(HealthGate gate, string run, TimeProvider time) : IStep<Deployment>
{
    public string Name => "watch";

    public async Task<Deployment> RunAsync(Deployment state, IProgress<string> progress, CancellationToken ct)
    {
        var left = Left(state);
        if (left <= TimeSpan.Zero)
            return state;
        progress.Report($"for {Durations.Format(Rounded(left))}");
        using var first = CancellationTokenSource.CreateLinkedTokenSource(ct);
        var watches = state.Rolling().Select(r => WatchAsync(r, left, first)).ToList();
        await Task.WhenAll(watches).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        ct.ThrowIfCancellationRequested();
        // The one that failed first; the others were only told to end.
        await (watches.Find(w => w.IsFaulted) ?? Task.WhenAll(watches));
        return state;
    }

    public Task UndoAsync(Deployment state, CancellationToken ct) => Task.CompletedTask;

    public string Sum(Deployment state) => state.Watch == TimeSpan.Zero ? "off" : Durations.Format(state.Watch);

    private static TimeSpan Rounded(TimeSpan left) => TimeSpan.FromSeconds(Math.Max(1, Math.Round(left.TotalSeconds)));

    private async Task WatchAsync(Rolling rolling, TimeSpan left, CancellationTokenSource first)
    {
        try
        {
            await gate.WatchAsync(rolling.Component, rolling.New, left, first.Token);
        }
        catch
        {
            await first.CancelAsync();
            throw;
        }
    }

    // By the wall clock, since the agent may have been killed meanwhile; whatever was done to that clock, never longer than the whole.
    private TimeSpan Left(Deployment state)
    {
        if (!state.Service.Active || state.Switched is not { } switched || state.Run != run)
            return TimeSpan.Zero;
        var left = switched + state.Watch - time.GetUtcNow();
        return left > state.Watch ? state.Watch : left;
    }
}
