using System.Text.RegularExpressions;

namespace Mcp.Model.Definition;

/// <summary>What the short texts of a service file may look like.</summary>
internal static partial class ShortTexts
{
    public const string AllowedPath = "an absolute path without '..', ':' or control characters";
    public const string AllowedUser = "uid or uid:gid, numbers or names, for example \"1000:1000\"";
    public const string AllowedNetwork = "a network's name: letters, digits, '_', '.', '-'";
    public const string AllowedVariable = "a letter or '_', then letters, digits, '_'";

    public static bool IsPath(string text) =>
        text.Length is > 0 and <= 4096
            && text[0] == '/'
            && !text.Contains(':', StringComparison.Ordinal)
            && !text.Any(char.IsControl)
            && !text.Split('/').Contains("..");

    public static bool IsUser(string text) => User().IsMatch(text);

    public static bool IsNetwork(string text) => Network().IsMatch(text);

    public static bool IsVariable(string text) => Variable().IsMatch(text);

    [GeneratedRegex(@"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,31}(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,31})?\z")]
    private static partial Regex User();

    [GeneratedRegex(@"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}\z")]
    private static partial Regex Network();

    [GeneratedRegex(@"^[A-Za-z_][A-Za-z0-9_]{0,255}\z")]
    private static partial Regex Variable();
}
