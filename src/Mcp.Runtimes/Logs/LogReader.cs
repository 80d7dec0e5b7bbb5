using System.Runtime.CompilerServices;

namespace Mcp.Runtimes.Logs;

/// <summary>The lines of one instance's log.</summary>
internal static class LogReader
{
    private static readonly TimeSpan s_poll = TimeSpan.FromMilliseconds(100);

    /// <param name="writing">Whether more may come. Asked before each look, where the log is followed; after a no and one more look it
    /// ends, or waits where <see cref="LogOptions.Stays"/> says so.</param>
    public static async IAsyncEnumerable<LogLine> ReadAsync(
        LogFiles files,
        LogOptions options,
        Func<CancellationToken, ValueTask<bool>> writing,
        [EnumeratorCancellation] CancellationToken ct)
    {
        var last = options.Tail is null ? null : new Queue<LogLine>();
        files.Take();
        using var cursor = new LogCursor(files);
        while (true)
        {
            var done = !options.Follow || options.Until <= TimeProvider.System.GetUtcNow();
            var ended = done || !await writing(ct);
            var over = done || (ended && (options.Stays is null || !await options.Stays(ct)));
            files.Take();
            for (var lines = cursor.Read(); lines is not null; lines = cursor.Read())
            {
                foreach (var line in Taken(lines))
                    yield return line;
                ct.ThrowIfCancellationRequested();
                files.Take();
            }

            foreach (var line in Taken(ended ? cursor.End() : []))
                yield return line;
            // All that was there when the reading began is read.
            while (last is not null && last.TryDequeue(out var line))
                yield return line;
            last = null;
            if (over)
                yield break;
            await Task.Delay(s_poll, ct);
        }

        IEnumerable<LogLine> Taken(List<LogLine> lines)
        {
            foreach (var line in lines.Where(options.Takes))
            {
                if (last is null)
                {
                    yield return line;
                    continue;
                }

                last.Enqueue(line);
                if (last.Count > options.Tail)
                    last.Dequeue();
            }
        }
    }
}
