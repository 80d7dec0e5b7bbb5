using System.Net;
using Mcp.Master.Store;

namespace Mcp.Master.Dns.Builtin;

/// <summary>Names that the master answers for itself: kept in its database, served from memory.</summary>
public sealed class BuiltinDns : IDnsProvider
{
    private readonly DnsRecordsTable _records;
    private readonly Lock _lock = new();

    public BuiltinDns(DnsRecordsTable records, Zone zone)
    {
        (_records, Zone) = (records, zone);
        records.List().ForEach(Zone.Set);
    }

    public Zone Zone { get; }

    public string Name => "builtin";

    public Task SetAsync(string name, IPAddress node, CancellationToken ct)
    {
        lock (_lock)
        {
            _records.Set(new DnsRecord(name, node));
            Zone.Set(new DnsRecord(name, node));
        }

        return Task.CompletedTask;
    }

    public Task RemoveAsync(string name, CancellationToken ct)
    {
        lock (_lock)
        {
            _records.Remove(name);
            Zone.Remove(name);
        }

        return Task.CompletedTask;
    }

    public Task<IReadOnlyList<DnsRecord>> ListOwnedAsync(CancellationToken ct) =>
        Task.FromResult<IReadOnlyList<DnsRecord>>(_records.List());
}
