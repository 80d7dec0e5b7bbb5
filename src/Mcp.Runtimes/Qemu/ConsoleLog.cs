using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;

namespace Mcp.Runtimes.Qemu;

/// <summary>A VM's console, a file after the other: console.N.log, whole lines only, each with the time at which it came. Numbers only
/// rise, so a reader is never misled by a file that was replaced under it.</summary>
internal static class ConsoleLog
{
    private const int ReadBytes = 256 * 1024;
    private static readonly TimeSpan s_poll = TimeSpan.FromMilliseconds(100);

    public static string File(string directory, int number) =>
        Path.Combine(directory, string.Create(CultureInfo.InvariantCulture, $"console.{number}.log"));

    public static IReadOnlyList<int> Numbers(string directory) => !Directory.Exists(directory) ? []
        : [.. Directory.EnumerateFiles(directory, "console.*.log").Select(NumberOf).Where(n => n > 0).Order()];

    // 0: it is another file.
    private static int NumberOf(string file) =>
        int.TryParse(Path.GetFileName(file).AsSpan(8..^4), CultureInfo.InvariantCulture, out var number) ? number : 0;

    /// <param name="running">Asked before each look; after a no and one more look the log ends.</param>
    public static async IAsyncEnumerable<LogLine> ReadAsync(
        string directory,
        LogOptions options,
        Func<bool> running,
        [EnumeratorCancellation] CancellationToken ct)
    {
        var last = options.Tail is null ? null : new Queue<LogLine>();
        var (number, offset) = (Numbers(directory).FirstOrDefault(1), 0L);
        while (true)
        {
            var (over, next) = (!running(), Numbers(directory).FirstOrDefault(n => n > number));
            var (lines, read) = ReadFrom(File(directory, number), offset);
            offset += read;
            foreach (var line in lines.Where(l => options.Since is not { } since || l.Time >= since))
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

            if (read > 0)
                continue;
            if (next > 0)
            {
                (number, offset) = (next, 0);
                continue;
            }

            // All that was there when the reading began is read.
            while (last is not null && last.TryDequeue(out var line))
                yield return line;
            last = null;
            if (over || !options.Follow)
                yield break;
            await Task.Delay(s_poll, ct);
        }
    }

    private static (List<LogLine> Lines, int Bytes) ReadFrom(string file, long offset)
    {
        var buffer = new byte[ReadBytes];
        int length;
        try
        {
            using var handle = System.IO.File.OpenHandle(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            length = RandomAccess.Read(handle, buffer, offset);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return ([], 0);
        }

        var whole = buffer.AsSpan(0, length).LastIndexOf((byte)'\n') + 1;
        return ([.. Encoding.UTF8.GetString(buffer, 0, whole).Split('\n').Select(Parse).OfType<LogLine>()], whole);
    }

    private static LogLine? Parse(string line)
    {
        var space = line.IndexOf(' ', StringComparison.Ordinal);
        if (space <= 0)
            return null;
        var stamp = line.AsSpan(0, space);
        return DateTimeOffset.TryParseExact(stamp, "O", CultureInfo.InvariantCulture, DateTimeStyles.None, out var time)
            ? new LogLine(time, false, line[(space + 1)..])
            : null;
    }
}
