using System.Runtime.CompilerServices;

namespace Mcp.Daemon.Events;

/// <summary>The last events, and with follow those that come.</summary>
public static class EventStream
{
    private const int DefaultTail = 50;
    private static readonly TimeSpan s_look = TimeSpan.FromMilliseconds(250);

    /// <param name="tail">How many of those that are there; 0: 50. Does not count with <paramref name="after"/>.</param>
    /// <param name="after">All with a greater id; 0: not asked for.</param>
    /// <param name="stopping">The program ends: so does following.</param>
    public static async IAsyncEnumerable<KeptEvent> ReadAsync(
        EventsTable table,
        bool follow,
        int tail,
        long after,
        TimeProvider time,
        CancellationToken stopping,
        [EnumeratorCancellation] CancellationToken ct)
    {
        var last = after;
        var most = after > 0 ? int.MaxValue : tail > 0 ? tail : DefaultTail;
        do
        {
            foreach (var happened in table.After(last, most))
            {
                last = happened.Id;
                yield return happened;
            }

            most = int.MaxValue;
            if (follow)
                await Task.Delay(s_look, time, ct);
        }
        while (follow && !stopping.IsCancellationRequested);
    }
}
