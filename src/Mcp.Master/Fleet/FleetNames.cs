using Mcp.Master.Dns;
using Mcp.Master.Store;
using Mcp.Model.Errors;
using Mcp.Model.Names;
using Mcp.Protocol.V1;

namespace Mcp.Master.Fleet;

/// <summary>The names as they are and as they should be.</summary>
public sealed class FleetNames(Hostname zone, IDnsProvider? provider, MasterStore store)
{
    /// <exception cref="McpException">dns.unreachable, dns.refused</exception>
    public async Task<ListNamesReply> ListAsync(CancellationToken ct)
    {
        var reply = new ListNamesReply { Provider = provider?.Name ?? "none", Zone = zone.Text };
        if (provider is null)
            return reply;
        var there = (await provider.ListOwnedAsync(ct)).ToDictionary(r => r.Name, r => r.Address.ToString());
        foreach (var known in store.DnsRecords.List())
        {
            var address = there.GetValueOrDefault(known.Name, "");
            reply.Names.Add(new NameRecord
            {
                Name = $"{known.Name}.{zone}",
                Address = known.Address.ToString(),
                State = address.Length == 0 ? "missing" : address == known.Address.ToString() ? "ok" : $"is {address}",
            });
        }

        return reply;
    }
}
