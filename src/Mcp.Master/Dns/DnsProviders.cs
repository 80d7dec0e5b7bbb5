using System.Net;
using Mcp.Master.Dns.Builtin;
using Mcp.Master.Dns.Rfc2136;
using Mcp.Master.Store;
using Mcp.Model.Errors;

namespace Mcp.Master.Dns;

/// <summary>The provider that the configuration names, and what ends it.</summary>
public sealed class DnsProviders : IDisposable
{
    private readonly ZoneServer? _server;

    /// <exception cref="McpException">dns.listen, dns.key</exception>
    public DnsProviders(MasterConfig config, MasterStore store, TimeProvider time)
    {
        var dns = config.Dns;
        switch (dns.Kind)
        {
            case DnsKind.Builtin:
                var listen = dns.Listen ?? new IPEndPoint(config.Listen.Address, DnsOptions.DnsPort);
                var builtin = new BuiltinDns(store.DnsRecords, new Zone(config.Zone, listen.Address, dns.Ttl, time));
                _server = new ZoneServer(builtin.Zone, listen, new SourceLimit(dns.RateLimit, time));
                Chosen = builtin;
                break;
            case DnsKind.Rfc2136:
                Chosen = new Rfc2136Dns(
                    new Rfc2136Options(dns.Server!, config.Zone, dns.KeyName!, dns.Secret(), dns.Ttl),
                    config.Name.Text,
                    store.DnsRecords,
                    time);
                break;
            case DnsKind.None:
                break;
        }
    }

    /// <summary>Null: none is wanted.</summary>
    public IDnsProvider? Chosen { get; }

    public void Dispose() => _server?.Dispose();
}
