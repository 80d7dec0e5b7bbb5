using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Mcp.Daemon.Identity;

namespace Mcp.Agent.ProxyProcess;

/// <summary>This node as the proxies of other nodes see it, and they as it sees them: certificates of the fleet's CA, read from the agent's
/// directory as they are now. The proxy may be older than the membership.</summary>
internal sealed class FleetPeer(string member)
{
    private readonly Lock _lock = new();
    private HandshakeCertificate? _own;
    private X509Certificate2? _authority;
    private DateTime _authorityWritten;

    /// <summary>What this node shows; null: it has joined no fleet.</summary>
    public X509Certificate2? Own
    {
        get
        {
            lock (_lock)
            {
                var file = Path.Combine(member, "node.pem");
                _own = File.Exists(file) ? HandshakeCertificate.Read(file, _own) ?? _own : null;
                return _own?.Context.TargetCertificate;
            }
        }
    }

    /// <summary>A node's certificate, of the fleet's CA.</summary>
    public bool IsNode(X509Certificate2 shown)
    {
        if (Trust() is not { } trust)
            return false;
        using var chain = new X509Chain { ChainPolicy = trust };
        return chain.Build(shown) && PeerName.Of(shown) is not null;
    }

    /// <summary>The fleet's CA and no other; null: this node has joined no fleet.</summary>
    public X509ChainPolicy? Trust()
    {
        lock (_lock)
        {
            try
            {
                var file = Path.Combine(member, "ca.crt");
                var written = File.GetLastWriteTimeUtc(file);
                if (_authority is null || written != _authorityWritten)
                    (_authority, _authorityWritten) = (X509CertificateLoader.LoadCertificateFromFile(file), written);
                return PeerTls.Trusting(_authority);
            }
            catch (Exception e) when (e is CryptographicException or IOException)
            {
                return null;
            }
        }
    }

    /// <summary>TLS 1.3 to another node's proxy, which must show a certificate for the service's internal name.</summary>
    public SslClientAuthenticationOptions ClientOptions(string backend, SslApplicationProtocol protocol) => new()
    {
        ApplicationProtocols = [protocol],
        EnabledSslProtocols = System.Security.Authentication.SslProtocols.Tls13,
        TargetHost = backend,
        LocalCertificateSelectionCallback = (_, _, _, _, _) => Own!,
        // Without a CA nobody is trusted.
        CertificateChainPolicy = Trust() ?? new X509ChainPolicy
        {
            TrustMode = X509ChainTrustMode.CustomRootTrust,
            RevocationMode = X509RevocationMode.NoCheck,
            DisableCertificateDownloads = true,
        },
    };
}
