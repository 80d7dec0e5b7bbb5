using System.Collections.Concurrent;
using System.Security.Cryptography.X509Certificates;

namespace Mcp.Daemon.Identity;

/// <summary>
/// When certificates that somebody else signs are to be renewed. Where the signer's clock and ours differ, the next one may be as due as
/// the last, or not count yet either: it is asked for once an hour then, or ten times in the life of a short-lived one, and not with every
/// look. </summary>
/// <typeparam name="T">Whose certificates: a service, a hostname.</typeparam>
public sealed class RenewalPace<T>(TimeProvider time)
    where T : notnull
{
    private const int MostInALife = 10;
    private static readonly TimeSpan s_again = TimeSpan.FromHours(1);

    // By a clock that nobody sets.
    private readonly ConcurrentDictionary<T, long> _issued = new();

    public bool IsDue(T whose, X509Certificate2 certificate)
    {
        if (!CertificateAuthority.RenewalIsDue(certificate, time.GetUtcNow()))
            return false;
        var pause = CertificateAuthority.LifeOf(certificate) / MostInALife;
        return !_issued.TryGetValue(whose, out var at) || time.GetElapsedTime(at) > (pause < s_again ? pause : s_again);
    }

    public void Issued(T whose) => _issued[whose] = time.GetTimestamp();
}
