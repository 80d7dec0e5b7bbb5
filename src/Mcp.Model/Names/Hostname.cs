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
        var labels = text?.Split('.') ?? [];
        var valid = labels.Length >= 2 && text!.Length <= 253 && labels.All(l => Label.TryParse(l, out _)) && !labels[^1].All(char.IsAsciiDigit);
        hostname = valid ? new Hostname(text!) : null;
        return valid;
    }

    public override string ToString() => Text;
}
