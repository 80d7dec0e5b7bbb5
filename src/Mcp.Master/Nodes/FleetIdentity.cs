using System.Security.Cryptography.X509Certificates;
using Mcp.Daemon.Identity;
using Mcp.Model.Names;

namespace Mcp.Master.Nodes;

/// <summary>The fleet's CA, and the master's own certificate: made anew at each start and long before it ends, never written to
/// disk.</summary>
public sealed class FleetIdentity(MasterConfig config, TimeProvider time) : IDisposable
{
    private readonly CertificateAuthority _authority = CertificateAuthority.Load(config.State);
    private readonly Lock _lock = new();
    private X509Certificate2? _own;

    public X509Certificate2 Authority => _authority.Certificate;

    public X509Certificate2 Own
    {
        get
        {
            lock (_lock)
            {
                // What a CA signs before it counts itself counts no sooner either.
                var now = time.GetUtcNow();
                if (_own is null || (now >= Authority.NotBefore && CertificateAuthority.RenewalIsDue(_own, now)))
                {
                    _own = _authority.IssuePeer(
                        new PeerName(config.Name, true),
                        ServerNames.Of(config.Listen, config.Name.Text),
                        now,
                        config.CertificateLife);
                }

                return _own;
            }
        }
    }

    /// <summary>The master's certificate and the fleet's CA.</summary>
    public IEnumerable<Expiry> Endings =>
    [
        Expiry.Of("certificate of the master", Own, "the master renews it by itself; if it does not, check the clock"),
        Expiry.OfAuthority("CA of the fleet", Authority, "then no node is accepted: set up a new master, and let all nodes join it"),
    ];

    public X509Certificate2 Sign(string requestPem, PeerName node, string address) =>
        _authority.Sign(
            requestPem,
            node,
            [node.Name.Text, "127.0.0.1", "::1", "localhost", address],
            time.GetUtcNow(),
            config.CertificateLife);

    /// <summary>For a service's names in the internal zone, and its components'.</summary>
    public X509Certificate2 SignService(string requestPem, Label service)
    {
        var name = $"{service}.{config.Zone}";
        return _authority.SignServer(requestPem, name, [name, $"*.{name}"], time.GetUtcNow(), config.CertificateLife);
    }

    /// <summary>For a public hostname.</summary>
    public X509Certificate2 SignHostname(string requestPem, Hostname hostname) =>
        _authority.SignServer(requestPem, hostname.Text, [hostname.Text], time.GetUtcNow(), config.CertificateLife);

    public void Dispose()
    {
        _authority.Dispose();
        _own?.Dispose();
    }
}
