using System.Diagnostics;
using Mcp.Model.Definition;

namespace Mcp.Agent.Probes;

/// <summary>When one that is not well yet is asked again: soon at first, since most are well long before a whole interval is over, and
/// by its interval after that. The first questions take the place of the first interval.</summary>
public sealed class AskingPace
{
    // A program is started inside for each.
    private static readonly TimeSpan s_soonestExec = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan s_soonest = TimeSpan.FromMilliseconds(25);
    private readonly TimeSpan _interval;
    private readonly TimeSpan _soonest;
    private Stopwatch _clock = new();
    private TimeSpan _next;

    public AskingPace(TimeSpan interval, TimeSpan soonest)
    {
        (_interval, _soonest) = (interval, soonest);
        Begin();
    }

    public static AskingPace Of(HealthCheck check) => new(check.Interval, check.Exec.Count > 0 ? s_soonestExec : s_soonest);

    /// <summary>The next pause is a whole interval.</summary>
    public bool IsSteady => _next > _interval / 2 || _clock.Elapsed >= _interval;

    public TimeSpan Next()
    {
        if (IsSteady)
            return _interval;
        var pause = _next;
        _next *= 2;
        return pause;
    }

    /// <summary>It was started anew.</summary>
    public void Begin() => (_next, _clock) = (_soonest, Stopwatch.StartNew());
}
