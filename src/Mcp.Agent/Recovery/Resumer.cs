using Mcp.Agent.Deploy;
using Mcp.Daemon.Lifecycle;
using Mcp.Daemon.Operations;

namespace Mcp.Agent.Recovery;

/// <summary>Finishes what the journal has: at the agent's start what a kill left, later what could not be done or undone at once.</summary>
public sealed class Resumer(Deployer deployer, Undeployer undeployer, OperationsTable journal, TimeProvider time)
{
    private static readonly TimeSpan s_period = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan s_longestPause = TimeSpan.FromMinutes(1);
    private readonly Dictionary<Guid, (int Tries, DateTimeOffset Next)> _tries = [];

    /// <summary>Up to its first wait it takes the locks of all services with unfinished operations, so start it before the
    /// reconciler.</summary>
    public Task RunAsync(FaultLog log, CancellationToken ct) => Supervise.EachAsync(s_period, t => RoundAsync(log, t), time, ct);

    /// <summary>Tries each unfinished operation whose turn it is once.</summary>
    public Task RoundAsync(FaultLog log, CancellationToken ct) => Task.WhenAll(Due().Select(e => ResumeAsync(e, log, ct)).ToList());

    private List<JournalEntry> Due()
    {
        var open = journal.Open().Where(e => !deployer.IsActive(e.Id) && !undeployer.IsActive(e.Id)).ToList();
        foreach (var done in _tries.Keys.Except(open.Select(e => e.Id)).ToList())
            _tries.Remove(done);
        return [.. open.Where(e => !_tries.TryGetValue(e.Id, out var tried) || tried.Next <= time.GetUtcNow())];
    }

    private async Task ResumeAsync(JournalEntry entry, FaultLog log, CancellationToken ct)
    {
        var tries = _tries.GetValueOrDefault(entry.Id).Tries + 1;
        var pause = TimeSpan.FromSeconds(Math.Min(Math.Pow(2, tries), s_longestPause.TotalSeconds));
        _tries[entry.Id] = (tries, time.GetUtcNow() + pause);
        try
        {
            if (entry.Kind == Undeployer.Kind)
                await undeployer.ResumeAsync(entry, ct);
            else
                await deployer.ResumeAsync(entry, ct);
        }
        catch (Exception e) when (!ct.IsCancellationRequested)
        {
            log.Write($"resuming the {entry.Kind} of {entry.Subject}", e);
        }
    }
}
