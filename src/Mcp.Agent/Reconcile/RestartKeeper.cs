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
        ForgetTheQuiet();
        var now = time.GetUtcNow();
        (count, var last) = _restarts.GetValueOrDefault(name);
        if (Waits(name.Service))
            return false;
        if (count > 0 && now - last < RestartBackoff.Pause(count - 1))
            return false;
        _restarts[name] = (++count, now);
        return true;
    }

    /// <summary>Restarts in a row.</summary>
    public int Count(InstanceName name) =>
        _restarts.TryGetValue(name, out var restarts) && !IsQuiet(restarts.Last) ? restarts.Count : 0;

    /// <summary>A person started or stopped it: what it did before no longer counts.</summary>
    public void Forget(InstanceName name) => _restarts.TryRemove(name, out _);

    /// <summary>Time until the next pause is over, at most the given one.</summary>
    public TimeSpan NextWithin(TimeSpan most)
    {
        var now = time.GetUtcNow();
        var waits = _restarts.Values.Select(r => r.Last + RestartBackoff.Pause(r.Count - 1) - now).Where(w => w > TimeSpan.Zero);
        return waits.Append(most).Min() + TimeSpan.FromMilliseconds(10);
    }

    // Generations that are gone are among them: nobody asks for those again.
    private void ForgetTheQuiet()
    {
        foreach (var quiet in _restarts.Where(r => IsQuiet(r.Value.Last)).Select(r => r.Key).ToList())
            _restarts.TryRemove(quiet, out _);
    }

    private bool IsQuiet(DateTimeOffset last) => time.GetUtcNow() - last > s_quiet;
}
