using System.Diagnostics.CodeAnalysis;

namespace Mcp.Model.Names;

/// <summary>A DNS host name of at least two labels, lower case, without trailing dot, wildcard or non-ASCII characters.</summary>
public sealed record Hostname
{
    public const string Allowed = "two or more labels of a-z, 0-9 and '-' joined by dots, for example blog.example.com";

    private Hostname(string text) => Text = text;

    public string Text { get; }

    public static bool TryParse(string? text, [NotNullWhen(true)] out Hostname? hostname)
    {
        hostname = text is { Length: <= 253 } && IsHostname(text) ? new Hostname(text) : null;
        return hostname is not null;
    }

    private static bool IsHostname(ReadOnlySpan<char> text)
    {
        var labels = 0;
        var last = text;
        foreach (var range in text.Split('.'))
        {
            last = text[range];
            labels++;
            if (!Label.IsLabel(last))
                return false;
        }

        // A number at the end makes it an IP address.
        return labels >= 2 && last.ContainsAnyExceptInRange('0', '9');
    }

    public override string ToString() => Text;
}
