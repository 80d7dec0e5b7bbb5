using System.Globalization;

namespace Mcp.Daemon.Storage;

/// <summary>A moment as it is stored and passed on: ISO 8601 with all its digits, so that the order of the texts is that of the
/// moments.</summary>
public static class TimeText
{
    public static string ToText(this DateTimeOffset moment) => moment.ToString("O", CultureInfo.InvariantCulture);

    public static string NowText(this TimeProvider time) => time.GetUtcNow().ToText();

    /// <summary>The beginning of time, where it is damaged.</summary>
    public static DateTimeOffset ReadOrLongAgo(string text) =>
        DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.None, out var moment)
            ? moment
            : DateTimeOffset.UnixEpoch;

    public static DateTimeOffset Read(string text) => DateTimeOffset.Parse(text, CultureInfo.InvariantCulture);
}
