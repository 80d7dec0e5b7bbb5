using System.Globalization;
using Mcp.Model.Definition;
using Mcp.Model.Errors;

namespace Mcp.Cli.Commands;

/// <summary>Points in time as people write them.</summary>
internal static class LogTimes
{
    public const string Allowed = "such as 30s, 10m, 2h, which count back from now; 2026-11-27, 2026-11-27 14:00 or 2026-11-27 14:00:30, "
        + "of this machine's time zone; or 2026-11-27T14:00:30Z";

    // Longer fractions are cut.
    private const int Decimals = 7;
    private static readonly string[] s_times =
        ["yyyy-MM-ddTHH:mm", "yyyy-MM-dd HH:mm", "yyyy-MM-ddTHH:mm:ss.FFFFFFF", "yyyy-MM-dd HH:mm:ss.FFFFFFF"];

    private static readonly string[] s_local = ["yyyy-MM-dd", .. s_times];
    private static readonly string[] s_zoned = [.. s_times.Select(t => $"{t}K")];

    /// <param name="local">The zone of times without one.</param>
    /// <param name="isEnd">Of a time that comes twice, when clocks are set back, the second is meant.</param>
    /// <exception cref="McpException">usage</exception>
    public static DateTimeOffset Parse(string option, string text, DateTimeOffset now, TimeZoneInfo local, bool isEnd)
    {
        try
        {
            if (Durations.TryParse(text, out var ago))
                return now - ago;
            var point = Cut(text);
            if (DateTime.TryParseExact(point, s_local, CultureInfo.InvariantCulture, DateTimeStyles.None, out var time))
                return new DateTimeOffset(time, OffsetOf(time, local, isEnd));
            if (DateTimeOffset.TryParseExact(point, s_zoned, CultureInfo.InvariantCulture, DateTimeStyles.None, out var zoned))
                return zoned;
        }
        catch (ArgumentOutOfRangeException)
        {
            // Before the year 1, or after 9999.
        }

        throw new McpException(ErrorCode.Usage, $"{option}: '{text}' is not a time", Allowed);
    }

    private static TimeSpan OffsetOf(DateTime time, TimeZoneInfo local, bool isEnd)
    {
        if (!local.IsAmbiguousTime(time))
            return local.GetUtcOffset(time);
        var offsets = local.GetAmbiguousTimeOffsets(time);
        return isEnd ? offsets.Min() : offsets.Max();
    }

    private static string Cut(string text)
    {
        var first = text.IndexOf('.', StringComparison.Ordinal) + 1;
        if (first == 0)
            return text;
        var end = first;
        while (end < text.Length && char.IsAsciiDigit(text[end]))
            end++;
        return end - first <= Decimals ? text : text.Remove(first + Decimals, end - first - Decimals);
    }
}
