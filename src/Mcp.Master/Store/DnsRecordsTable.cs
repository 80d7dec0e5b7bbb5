using System.Net;
using Mcp.Daemon.Storage;
using Mcp.Master.Dns;

namespace Mcp.Master.Store;

/// <summary>The names that mcp has set, or is about to: written before they are anywhere else, removed after.</summary>
public sealed class DnsRecordsTable(Database database)
{
    public List<DnsRecord> List()
    {
        using var connection = database.Connect();
        return connection.Query(
            "SELECT name, address FROM dns_records ORDER BY name",
            r => new DnsRecord(r.GetString(0), IPAddress.Parse(r.GetString(1))));
    }

    public void Set(DnsRecord record)
    {
        database.Write(connection => connection.Run(
            "INSERT INTO dns_records (name, address) VALUES (@name, @address) ON CONFLICT (name) DO UPDATE SET address = @address",
            ("name", record.Name),
            ("address", record.Address.ToString())));
    }

    public void Remove(string name)
    {
        database.Write(connection => connection.Run("DELETE FROM dns_records WHERE name = @name", ("name", name)));
    }
}
