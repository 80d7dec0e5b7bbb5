using System.Collections.Concurrent;
using Mcp.Model.Health;
using Mcp.Model.Names;

namespace Mcp.Agent.Reconcile;

/// <summary>Exponential back-off per instance, 1 s to 5 min; forgotten after 10 quiet minutes.</summary>
public sealed class RestartKeeper(TimeProvider time)
{
    private static readonly TimeSpan s_quiet = TimeSpan.FromMinutes(10);
    private readonly ConcurrentDictionary<InstanceName, (int Count, DateTimeOffset Last)> _restarts = new();

    /// <summary>Services that must not be started yet, because the boot sequence has not come to them.</summary>
    public Func<Label, bool> Waits { get; set; } = _ => false;

    /// <summary>True when the pause is over; counts the restart that follows.</summary>
    public bool May(InstanceName name, out int count)
    {
        var now = time.GetUtcNow();
        var (past, last) = _restarts.GetValueOrDefault(name);
        count = past;
        if (Waits(name.Service))
            return false;
        if (past > 0 && now - last > s_quiet)
            past = 0;
        if (past > 0 && now - last < RestartBackoff.Pause(past - 1))
            return false;
        _restarts[name] = (count = past + 1, now);
        return true;
    }

    public int Count(InstanceName name) => _restarts.GetValueOrDefault(name).Count;

    /// <summary>Time until the next pause is over, at most the given one.</summary>
    public TimeSpan NextWithin(TimeSpan most)
    {
        var now = time.GetUtcNow();
        var waits = _restarts.Values.Select(r => r.Last + RestartBackoff.Pause(r.Count - 1) - now).Where(w => w > TimeSpan.Zero);
        return waits.Append(most).Min() + TimeSpan.FromMilliseconds(10);
    }
}
