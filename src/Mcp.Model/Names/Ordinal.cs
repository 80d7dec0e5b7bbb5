using System.Globalization;

namespace Mcp.Model.Names;

/// <summary>1st, 2nd, 3rd, 4th, 11th, 21st.</summary>
public static class Ordinal
{
    public static string Of(int number) => string.Create(CultureInfo.InvariantCulture, $"{number}{Ending(number)}");

    private static string Ending(int number) => (number % 100, number % 10) switch
    {
        (11 or 12 or 13, _) => "th",
        (_, 1) => "st",
        (_, 2) => "nd",
        (_, 3) => "rd",
        _ => "th",
    };
}
