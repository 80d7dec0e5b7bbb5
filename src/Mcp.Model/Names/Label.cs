using System.Diagnostics.CodeAnalysis;
using Mcp.Model.Errors;

namespace Mcp.Model.Names;

/// <summary>An RFC 1123 label: 1 to 63 of a-z, 0-9 and '-', beginning and ending with a letter or digit. Names services, components, routes
/// and nodes.</summary>
public sealed record Label
{
    public const int MaxLength = 63;
    public const string Allowed = "1 to 63 of a-z, 0-9 and '-', beginning and ending with a letter or digit";

    /// <summary>The same as a regular expression, for others.</summary>
    public const string Pattern = "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$";

    private Label(string text) => Text = text;

    public string Text { get; }

    public static Label Parse(string text) =>
        TryParse(text, out var label)
            ? label
            : throw new McpException(ErrorCode.NameInvalid, $"'{Clip(text)}' is not a name", $"allowed: {Allowed}");

    public static bool TryParse(string? text, [NotNullWhen(true)] out Label? label)
    {
        label = text is not null && IsLabel(text) ? new Label(text) : null;
        return label is not null;
    }

    internal static bool IsLabel(ReadOnlySpan<char> text)
    {
        if (text.Length is 0 or > MaxLength || text[0] == '-' || text[^1] == '-')
            return false;
        foreach (var c in text)
        {
            if (!char.IsAsciiLetterLower(c) && !char.IsAsciiDigit(c) && c != '-')
                return false;
        }

        return true;
    }

    public override string ToString() => Text;

    /// <summary>The text as an error may repeat it: at most 60 characters, control characters replaced.</summary>
    public static string Clip(string? text)
    {
        text ??= "";
        var shown = text.Length > 60 ? string.Concat(text.AsSpan(0, 57), "...") : text;
        return string.Create(shown.Length, shown, static (span, s) =>
        {
            for (var i = 0; i < s.Length; i++)
                span[i] = char.IsControl(s[i]) ? '?' : s[i];
        });
    }
}
