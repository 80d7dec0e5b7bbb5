using System.Security.Cryptography.X509Certificates;

namespace Mcp.Daemon.Identity;

/// <summary>Something that ends, and when somebody should hear of it.</summary>
/// <param name="What">Such as "certificate of this agent".</param>
/// <param name="Warn">So long before the end.</param>
/// <param name="Hint">What to do about it.</param>
public sealed record Expiry(string What, DateTimeOffset End, TimeSpan Warn, string Hint)
{
    private static readonly TimeSpan s_usual = TimeSpan.FromDays(14);
    private static readonly TimeSpan s_authority = TimeSpan.FromDays(180);

    /// <summary>It will be over soon, or is.</summary>
    public bool IsNear(DateTimeOffset now) => now > End - Warn;

    /// <summary>Of one that is renewed by itself, unless something keeps it from that. A short-lived one is renewed later than two weeks
    /// before its end.</summary>
    public static Expiry Of(string what, X509Certificate2 certificate, string hint) =>
        new(what, certificate.NotAfter.ToUniversalTime(), WarnOf(certificate.NotAfter - certificate.NotBefore), hint);

    /// <summary>Of a CA: nothing renews it, and everybody who trusts it has a copy.</summary>
    public static Expiry OfAuthority(string what, X509Certificate2 certificate, string hint) =>
        new(what, certificate.NotAfter.ToUniversalTime(), s_authority, hint);

    /// <summary>How long before its end somebody should hear of what lives so long.</summary>
    public static TimeSpan WarnOf(TimeSpan life) => life / 4 < s_usual ? life / 4 : s_usual;
}
