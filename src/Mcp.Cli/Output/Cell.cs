using System.Globalization;
using Google.Protobuf.WellKnownTypes;

namespace Mcp.Cli.Output;

/// <summary>A place of a table.</summary>
/// <param name="Text">On a terminal.</param>
/// <param name="Exact">In a pipe and with -o wide.</param>
internal readonly record struct Cell(string Text, string Exact)
{
    private static readonly (TimeSpan Unit, string Name)[] s_units =
    [
        (TimeSpan.FromDays(1), "d"), (TimeSpan.FromHours(1), "h"), (TimeSpan.FromMinutes(1), "min"), (TimeSpan.FromSeconds(1), "s"),
    ];

    public static implicit operator Cell(string text) => new(text, text);

    /// <summary>How long ago.</summary>
    /// <param name="never">Where there is no time.</param>
    public static Cell Age(Timestamp? time, string never = "") => time is null
        ? never
        : new Cell(Ago(TimeProvider.System.GetUtcNow() - time.ToDateTimeOffset()), Exactly(time, "yyyy-MM-dd HH:mm:ssZ"));

    /// <summary>The day, as UTC; empty: there is none.</summary>
    public static Cell Day(Timestamp? time) => time is null ? "" : Exactly(time, "yyyy-MM-dd");

    public static string Exactly(Timestamp time, string format) =>
        time.ToDateTimeOffset().UtcDateTime.ToString(format, CultureInfo.InvariantCulture);

    /// <summary>In one unit, cut: 59 s, 3 min, 26 h, 9 d. A clock that is ahead: 0 s.</summary>
    public static string Ago(TimeSpan age)
    {
        var (unit, name) = s_units.FirstOrDefault(u => age >= u.Unit * (u.Name == "d" ? 2 : 1), s_units[^1]);
        return string.Create(CultureInfo.InvariantCulture, $"{Math.Max(0, (long)(age / unit))} {name}");
    }
}
