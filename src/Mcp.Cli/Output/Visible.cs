using System.Globalization;
using System.Text;

namespace Mcp.Cli.Output;

/// <summary>
/// Texts of other programs before a terminal sees them: characters that would move its cursor, change its title or turn the text around
/// are shown as what they are, such as \x1B.
/// </summary>
internal static class Visible
{
    private const char Escape = '\e';

    /// <summary>In one line.</summary>
    public static string Text(string text) => Shown(text, breaks: false, colours: false);

    /// <summary>Line breaks and tabs stay.</summary>
    public static string Lines(string text) => Shown(text, breaks: true, colours: false);

    /// <summary>A line of a program's own output, with its colours and nothing else. They end with it.</summary>
    public static string Output(string text)
    {
        var shown = Shown(text, breaks: true, colours: true);
        return shown.Contains(Escape) ? $"{shown}\e[0m" : shown;
    }

    private static string Shown(string text, bool breaks, bool colours)
    {
        if (!text.AsSpan().ContainsAnyInRange('\0', '\x1F') && !text.Any(IsHidden))
            return text;
        var shown = new StringBuilder(text.Length + 16);
        for (var i = 0; i < text.Length; i++)
        {
            if (colours && ColourAt(text, i) is var length and > 0)
            {
                shown.Append(text, i, length);
                i += length - 1;
            }
            else if (!IsHidden(text[i]) || (breaks && text[i] is '\n' or '\t'))
                shown.Append(text[i]);
            else
                shown.Append(CultureInfo.InvariantCulture, $"{(text[i] <= 0xFF ? "\\x" : "\\u")}{(int)text[i]:X2}");
        }

        return shown.ToString();
    }

    // Control characters, and those that turn the direction of text (Unicode UAX 9) or end a line.
    private static bool IsHidden(char c) =>
        char.IsControl(c) || c is (>= '\u202A' and <= '\u202E') or (>= '\u2066' and <= '\u2069') or '\u2028' or '\u2029';

    // ECMA-48 8.3.117, SGR: ESC [ numbers m.
    private static int ColourAt(string text, int at)
    {
        if (text[at] != Escape || at + 1 >= text.Length || text[at + 1] != '[')
            return 0;
        var end = at + 2;
        while (end < text.Length && (char.IsAsciiDigit(text[end]) || text[end] is ';' or ':'))
            end++;
        return end < text.Length && text[end] == 'm' && !Conceals(text[(at + 2)..end]) ? end - at + 1 : 0;
    }

    // SGR 8. After 38, 48 and 58 a number of a colour follows: 5;N or 2;R;G;B.
    private static bool Conceals(string numbers)
    {
        var all = numbers.Split(';');
        for (var i = 0; i < all.Length; i++)
        {
            if (all[i].TrimStart('0') == "8")
                return true;
            if (all[i] is "38" or "48" or "58")
                i += i + 1 < all.Length && all[i + 1] == "5" ? 2 : 4;
        }

        return false;
    }
}
