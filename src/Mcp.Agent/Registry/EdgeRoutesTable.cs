using System.Net;
using Mcp.Daemon.Storage;
using Mcp.Model.Names;
using Mcp.Model.Routes;
using Microsoft.Data.Sqlite;

namespace Mcp.Agent.Registry;

/// <summary>The public hostnames that this node lets in.</summary>
public sealed class EdgeRoutesTable(Database database, TimeProvider time)
{
    public List<EdgeRoute> List()
    {
        using var connection = database.Connect();
        return connection.Query("SELECT hostname, service, backend, port, resolver, addresses FROM edge_routes ORDER BY hostname", Read);
    }

    public EdgeRoute? Find(Hostname hostname) => List().Find(r => r.Hostname == hostname);

    public void Set(EdgeRoute route)
    {
        database.Write(connection => connection.Run("""
            INSERT INTO edge_routes (hostname, service, backend, port, resolver, addresses, created_at)
            VALUES (@hostname, @service, @backend, @port, @resolver, @addresses, @now)
            ON CONFLICT (hostname) DO UPDATE
            SET service = @service, backend = @backend, port = @port, resolver = @resolver, addresses = @addresses
            """,
            ("hostname", route.Hostname.Text),
            ("service", route.Service.Text),
            ("backend", route.Backend.Text),
            ("port", route.Port),
            ("resolver", route.Resolver),
            ("addresses", string.Join(' ', route.Addresses)),
            ("now", time.NowText())));
    }

    public void Remove(Hostname hostname)
    {
        database.Write(connection => connection.Run("DELETE FROM edge_routes WHERE hostname = @hostname", ("hostname", hostname.Text)));
    }

    private static EdgeRoute Read(SqliteDataReader r) =>
        new(
            Host(r.GetString(0)),
            Label.Parse(r.GetString(1)),
            Host(r.GetString(2)),
            r.GetInt32(3),
            r.GetString(4),
            [.. r.GetString(5).Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(IPAddress.Parse)]);

    private static Hostname Host(string text) => Hostname.TryParse(text, out var hostname)
        ? hostname
        : throw new FormatException($"'{text}' in edge_routes is not a hostname");
}
