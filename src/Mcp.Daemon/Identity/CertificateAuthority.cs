using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Mcp.Machine;
using Mcp.Model.Errors;

namespace Mcp.Daemon.Identity;

/// <summary>An EC P-256 certificate authority in a directory: ca.crt (public) and ca.key (0600).</summary>
public sealed class CertificateAuthority(X509Certificate2 certificate) : IDisposable
{
    private const string ServerUse = "1.3.6.1.5.5.7.3.1";

    /// <summary>The purpose that a client's certificate has (RFC 5280 4.2.1.12).</summary>
    internal const string ClientUse = "1.3.6.1.5.5.7.3.2";

    // Whoever is to trust it reads it.
    private const UnixFileMode Public =
        UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead;

    // Clocks of nodes differ; a certificate must count at once on one that is behind.
    private static readonly TimeSpan s_skew = TimeSpan.FromHours(1);

    /// <summary>A third of its life is left, or less; or it does not count yet, as after a clock that was ahead was set right.</summary>
    public static bool RenewalIsDue(X509Certificate2 certificate, DateTimeOffset now) =>
        now < certificate.NotBefore || now > certificate.NotAfter - (LifeOf(certificate) / 3);

    /// <summary>From when it was signed to its end.</summary>
    public static TimeSpan LifeOf(X509Certificate2 certificate) => certificate.NotAfter - certificate.NotBefore - s_skew;

    public X509Certificate2 Certificate => certificate;

    public static CertificateAuthority Create(string directory, string name, DateTimeOffset now)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, true, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.CrlSign, true));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, false));
        var certificate = request.CreateSelfSigned(now - s_skew, now.AddYears(10));
        WholeFile.Create(Path.Combine(directory, "ca.key"), key.ExportPkcs8PrivateKeyPem());
        WholeFile.Replace(Path.Combine(directory, "ca.crt"), certificate.ExportCertificatePem(), Public);
        return new CertificateAuthority(certificate);
    }

    public static CertificateAuthority Load(string directory) =>
        new(X509Certificate2.CreateFromPemFile(Path.Combine(directory, "ca.crt"), Path.Combine(directory, "ca.key")));

    /// <summary>A server certificate for these addresses and names, with a new key; both in PEM.</summary>
    public string IssueServer(string name, IEnumerable<string> hosts, DateTimeOffset now, TimeSpan life)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var issued = Issue(new PublicKey(key), new X500DistinguishedName($"CN={name}"), hosts, [ServerUse], now, life);
        return $"{issued.ExportCertificatePem()}\n{key.ExportPkcs8PrivateKeyPem()}\n";
    }

    /// <summary>The addresses and names that a certificate carries.</summary>
    public static IEnumerable<string> HostsOf(X509Certificate2 certificate) =>
        certificate.Extensions.OfType<X509SubjectAlternativeNameExtension>()
            .SelectMany(n => n.EnumerateDnsNames().Concat(n.EnumerateIPAddresses().Select(a => a.ToString())));

    /// <summary>A certificate for a master or a node, as client and as server, with a new key.</summary>
    public X509Certificate2 IssuePeer(PeerName peer, IEnumerable<string> hosts, DateTimeOffset now, TimeSpan life)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var issued = Issue(new PublicKey(key), peer.Subject, hosts.Append(peer.TlsName), [ServerUse, ClientUse], now, life);
        using var whole = issued.CopyWithPrivateKey(key);
        return X509CertificateLoader.LoadPkcs12(whole.Export(X509ContentType.Pkcs12), null);
    }

    /// <summary>For a node, as client and as server. Of the request only the key counts, and that whoever asks has it; names and addresses
    /// are the signer's.</summary>
    /// <exception cref="McpException">join.request: not a signed PKCS #10 request in PEM.</exception>
    public X509Certificate2 Sign(string requestPem, PeerName peer, IEnumerable<string> hosts, DateTimeOffset now, TimeSpan life) =>
        Issue(KeyOf(requestPem), peer.Subject, hosts.Append(peer.TlsName), [ServerUse, ClientUse], now, life);

    /// <summary>For names that are nobody's identity in the fleet: as server only.</summary>
    /// <exception cref="McpException">join.request</exception>
    public X509Certificate2 SignServer(string requestPem, string name, IEnumerable<string> hosts, DateTimeOffset now, TimeSpan life) =>
        Issue(KeyOf(requestPem), new X500DistinguishedName($"CN={name}"), hosts, [ServerUse], now, life);

    private static PublicKey KeyOf(string requestPem)
    {
        try
        {
            return CertificateRequest.LoadSigningRequestPem(requestPem, HashAlgorithmName.SHA256).PublicKey;
        }
        catch (Exception e) when (e is CryptographicException or ArgumentException)
        {
            throw new McpException(
                ErrorCode.JoinRequest,
                $"the certificate request cannot be read: {e.Message}",
                "a PKCS #10 request in PEM, signed by its own key",
                e);
        }
    }

    public void Dispose() => certificate.Dispose();

    private X509Certificate2 Issue(
        PublicKey key,
        X500DistinguishedName subject,
        IEnumerable<string> hosts,
        IEnumerable<string> uses,
        DateTimeOffset now,
        TimeSpan life)
    {
        var request = new CertificateRequest(subject, key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        foreach (var host in hosts.Distinct())
        {
            if (IPAddress.TryParse(host, out var address))
                names.AddIpAddress(address);
            else
                names.AddDnsName(host);
        }

        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(false, false, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, true));
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([.. uses.Select(u => new Oid(u))], false));
        request.CertificateExtensions.Add(X509AuthorityKeyIdentifierExtension.CreateFromCertificate(certificate, true, false));
        var (begin, end) = Within(now - s_skew, now + life);
        return request.Create(certificate, begin, end, RandomNumberGenerator.GetBytes(16));
    }

    // Nobody believes what a CA signs for longer than it counts itself.
    private (DateTimeOffset Begin, DateTimeOffset End) Within(DateTimeOffset begin, DateTimeOffset end)
    {
        DateTimeOffset first = certificate.NotBefore.ToUniversalTime(), last = certificate.NotAfter.ToUniversalTime();
        return (begin = begin < first ? first : begin) < (end = end > last ? last : end) ? (begin, end)
            : throw new McpException(
                ErrorCode.CertificateAuthority,
                $"the CA is valid from {first:yyyy-MM-dd} to {last:yyyy-MM-dd} and cannot sign now",
                "is the clock of this machine right?");
    }
}
