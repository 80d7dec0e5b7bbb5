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
        files.Take();
        using var cursor = new LogCursor(files, rewinds: options.Tail is not null);
        LogChoice? choice = null;
        while (true)
        {
            var done = IsDone(options);
            var ended = done || !await writing(ct);
            var over = done || (ended && (options.Stays is null || !await options.Stays(ct)));
            files.Take();
            choice ??= new LogChoice(options) { Left = options.Tail is { } tail ? Count(cursor, options, ended, ct) - tail : 0 };
            // To what is there now: whoever writes faster than it is read would have no end.
            if (done)
                cursor.Bound();
            else
                cursor.Unbound();
            var isFresh = false;
            while ((done || !IsDone(options)) && cursor.Read() is { } lines)
            {
                isFresh = true;
                foreach (var line in lines.Where(choice.Takes))
                    yield return line;
                ct.ThrowIfCancellationRequested();
                files.Take();
            }

            if (!done && IsDone(options))
                continue;
            // What came after the question may be of a program that was started since, and go on.
            var isWhole = done || (ended && !isFresh);
            foreach (var line in (isWhole ? cursor.End() : []).Where(choice.Takes))
                yield return line;
            if (over && !cursor.IsWithin)
                yield break;
            if (!cursor.IsWithin)
                choice.ForgetSince();
            await Task.Delay(s_poll, ct);
        }
    }

    private static bool IsDone(LogOptions options) => !options.Follow || options.Until <= TimeProvider.System.GetUtcNow();

    // Reads it all twice, and so keeps no line, however many are asked for.
    private static int Count(LogCursor cursor, LogOptions options, bool ended, CancellationToken ct)
    {
        var choice = new LogChoice(options);
        cursor.Bound();
        while (cursor.Read() is { } lines)
        {
            lines.ForEach(l => choice.Takes(l));
            ct.ThrowIfCancellationRequested();
        }

        if (ended)
            cursor.End().ForEach(l => choice.Takes(l));
        cursor.Rewind();
        return choice.Lines;
    }
}
