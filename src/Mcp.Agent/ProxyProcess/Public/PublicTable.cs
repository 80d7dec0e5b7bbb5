using System.Collections.Frozen;
using System.Net;
using Mcp.Agent.Proxy;

namespace Mcp.Agent.ProxyProcess.Public;

/// <summary>A public hostname with its certificate and its backend.</summary>
internal sealed record PublicHost(string Name, string Service, HandshakeCertificate Certificate, OverlayBackend Backend);

/// <summary>The public hostnames in force, swapped as one. A backend that has moved is another backend: what is on its way to the old one
/// ends there.</summary>
internal sealed class PublicTable(FleetPeer peer) : IDisposable
{
    private readonly Lock _lock = new();
    private FrozenDictionary<string, PublicHost> _byHost = FrozenDictionary<string, PublicHost>.Empty;

    public PublicHost? Find(string host) => Volatile.Read(ref _byHost).GetValueOrDefault(host);

    public void Replace(IReadOnlyList<PublicRoute> routes)
    {
        lock (_lock)
        {
            var before = _byHost;
            var backends = before.Values.Select(h => h.Backend).Distinct().ToDictionary(b => b.Key);
            var after = new Dictionary<string, PublicHost>(StringComparer.OrdinalIgnoreCase);
            foreach (var route in routes)
            {
                if (HandshakeCertificate.Read(route.Certificate, before.GetValueOrDefault(route.Host)?.Certificate) is not { } certificate)
                    continue;
                var key = OverlayBackend.KeyOf(route);
                if (!backends.TryGetValue(key, out var backend))
                {
                    IPAddress[] addresses = [.. route.Addresses.Select(IPAddress.Parse)];
                    backends[key] = backend = new OverlayBackend(key, route.Backend, addresses, route.Port, peer);
                }

                after[route.Host] = new PublicHost(route.Host, route.Service, certificate, backend);
            }

            Volatile.Write(ref _byHost, after.ToFrozenDictionary(StringComparer.OrdinalIgnoreCase));
            var wanted = after.Values.Select(h => h.Backend).ToHashSet();
            foreach (var gone in backends.Values.Where(b => !wanted.Contains(b)))
                gone.Dispose();
        }
    }

    public void Dispose()
    {
        foreach (var backend in _byHost.Values.Select(h => h.Backend).Distinct())
            backend.Dispose();
    }
}
