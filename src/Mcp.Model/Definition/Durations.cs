using System.Globalization;

namespace Mcp.Model.Definition;

/// <summary>Times as people write them: a whole number and ms, s, m or h.</summary>
public static class Durations
{
    private static readonly (string Unit, long Milliseconds)[] s_units = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000)];

    public static bool TryParse(string text, out TimeSpan value)
    {
        value = default;
        foreach (var (unit, milliseconds) in s_units)
        {
            if (text.EndsWith(unit, StringComparison.Ordinal)
                && long.TryParse(text.AsSpan(0, text.Length - unit.Length), NumberStyles.None, CultureInfo.InvariantCulture, out var count)
                && count <= 1_000_000)
            {
                value = TimeSpan.FromMilliseconds(count * milliseconds);
                return true;
            }
        }

        return false;
    }

    public static string Format(TimeSpan value)
    {
        var milliseconds = (long)value.TotalMilliseconds;
        if (milliseconds == 0)
            return "0s";
        var (unit, size) = s_units.Reverse().FirstOrDefault(u => milliseconds % u.Milliseconds == 0, s_units[0]);
        return string.Create(CultureInfo.InvariantCulture, $"{milliseconds / size}{unit}");
    }
}
