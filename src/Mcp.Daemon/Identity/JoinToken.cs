using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Mcp.Daemon.Identity;

/// <summary>What lets one node join, once: a secret, and the SHA-256 of the CA that it may be shown to. Written
/// mcp-join.SECRET.FINGERPRINT.</summary>
/// <param name="Secret">32 random bytes in hexadecimal. The master keeps only its hash.</param>
/// <param name="Authority">SHA-256 of the CA's certificate in hexadecimal.</param>
public sealed record JoinToken(string Secret, string Authority)
{
    private const string Prefix = "mcp-join";
    private const int HexLength = 64;

    public static JoinToken New(X509Certificate2 authority) =>
        new(Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(HexLength / 2)), Fingerprint(authority));

    public static bool TryParse(string text, [NotNullWhen(true)] out JoinToken? token)
    {
        var parts = text.Trim().Split('.');
        var wellFormed = parts is [Prefix, { Length: HexLength }, { Length: HexLength }]
            && parts.Skip(1).All(p => p.All(char.IsAsciiHexDigitLower));
        token = wellFormed ? new JoinToken(parts[1], parts[2]) : null;
        return wellFormed;
    }

    public static string Fingerprint(X509Certificate2 authority) => Convert.ToHexStringLower(SHA256.HashData(authority.RawData));

    public static string HashOf(string secret) => Convert.ToHexStringLower(SHA256.HashData(System.Text.Encoding.ASCII.GetBytes(secret)));

    public override string ToString() => $"{Prefix}.{Secret}.{Authority}";
}
