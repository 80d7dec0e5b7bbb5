using System.Buffers;
using System.Diagnostics.CodeAnalysis;

namespace Mcp.Model.Histories;

/// <summary>One run of a program on its database: 32 hexadecimal digits, random, so that no two runs anywhere have the same.</summary>
public sealed record Epoch
{
    public const int Length = 32;

    private static readonly SearchValues<char> s_digits = SearchValues.Create("0123456789abcdef");

    private Epoch(string text) => Text = text;

    public string Text { get; }

    /// <exception cref="FormatException">It is none; where it was written by us.</exception>
    public static Epoch Parse(string text) =>
        TryParse(text, out var epoch) ? epoch : throw new FormatException($"an epoch has {Length} hexadecimal digits");

    public static bool TryParse(string? text, [NotNullWhen(true)] out Epoch? epoch)
    {
        epoch = text is { Length: Length } && !text.AsSpan().ContainsAnyExcept(s_digits) ? new Epoch(text) : null;
        return epoch is not null;
    }

    public override string ToString() => Text;
}
