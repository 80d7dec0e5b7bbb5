using System.Globalization;
using Mcp.Model.Definition;
using Mcp.Model.Errors;

namespace Mcp.Cli.Commands;

/// <summary>Points in time as people write them.</summary>
internal static class LogTimes
{
    public const string Allowed = "such as 30s, 10m, 2h, which count back from now; 2026-11-27, 2026-11-27 14:00 or 2026-11-27 14:00:30, "
        + "of this machine's time zone; or 2026-11-27T14:00:30Z";

    private static readonly string[] s_local =
        ["yyyy-MM-dd", "yyyy-MM-dd HH:mm", "yyyy-MM-dd HH:mm:ss", "yyyy-MM-ddTHH:mm", "yyyy-MM-ddTHH:mm:ss"];

    // RFC 3339, with up to nanoseconds, of which .NET keeps seven digits.
    private static readonly string[] s_zoned =
        ["yyyy-MM-ddTHH:mm:ssK", "yyyy-MM-dd HH:mm:ssK", "yyyy-MM-ddTHH:mm:ss.FFFFFFFK", "yyyy-MM-ddTHH:mmK", "yyyy-MM-dd HH:mmK"];

    /// <param name="local">The zone of times without one.</param>
    /// <exception cref="McpException">usage</exception>
    public static DateTimeOffset Parse(string option, string text, DateTimeOffset now, TimeZoneInfo local)
    {
        if (Durations.TryParse(text, out var ago))
            return now - ago;
        if (DateTime.TryParseExact(text, s_local, CultureInfo.InvariantCulture, DateTimeStyles.None, out var time))
            return new DateTimeOffset(time, local.GetUtcOffset(time));
        return DateTimeOffset.TryParseExact(text, s_zoned, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var zoned)
            ? zoned
            : throw new McpException(ErrorCode.Usage, $"{option}: '{text}' is not a time", Allowed);
    }
}
