using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;

namespace Mcp.Runtimes.Images;

/// <summary>The SHA-256 of a document or a layer, as registries write it. Nothing else becomes part of an address or of a file's
/// name.</summary>
/// <param name="Hex">64 lower-case hexadecimal digits.</param>
internal readonly record struct Digest(string Hex)
{
    public const string Allowed = "sha256: and 64 lower-case hexadecimal digits";
    private const string Prefix = "sha256:";
    private const int HexLength = 64;
    private const int LongestOther = 256;

    public static Digest Of(ReadOnlySpan<byte> bytes) => new(Convert.ToHexStringLower(SHA256.HashData(bytes)));

    public static async Task<Digest> OfAsync(Stream stream, CancellationToken ct) =>
        new(Convert.ToHexStringLower(await SHA256.HashDataAsync(stream, ct)));

    public static bool TryParse([NotNullWhen(true)] string? text, out Digest digest)
    {
        var right = text is not null && text.StartsWith(Prefix, StringComparison.Ordinal) && IsHex(text[Prefix.Length..]);
        digest = right ? new Digest(text![Prefix.Length..]) : default;
        return right;
    }

    /// <summary>A digest as the format has them (https://github.com/opencontainers/image-spec/blob/main/descriptor.md#digests), but of an
    /// algorithm that is not read here.</summary>
    public static bool IsOther(string text) =>
        text.Length <= LongestOther
            && !text.StartsWith(Prefix, StringComparison.Ordinal)
            && text.Split(':') is [{ Length: > 0 } algorithm, { Length: >= HexLength / 2 } encoded]
            && algorithm.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c is '+' or '.' or '_' or '-')
            && encoded.All(c => char.IsAsciiLetterOrDigit(c) || c is '=' or '_' or '-');

    public static bool IsHex(string text) => text.Length == HexLength && text.All(char.IsAsciiHexDigitLower);

    public override string ToString() => Prefix + Hex;
}
