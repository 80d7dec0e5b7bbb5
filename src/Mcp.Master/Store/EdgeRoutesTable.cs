using Mcp.Daemon.Storage;
using Mcp.Model.Names;
using Microsoft.Data.Sqlite;

namespace Mcp.Master.Store;

/// <param name="Node">The edge node that has it, or is about to.</param>
/// <param name="CertificateExpires">As its node told last; null: not yet.</param>
public sealed record StoredEdgeRoute(Hostname Hostname, Label Service, Label Node, DateTimeOffset? CertificateExpires);

/// <summary>Which edge node lets the public in at which hostname: written before it is told to, removed after it has removed it.</summary>
public sealed class EdgeRoutesTable(Database database)
{
    private const string Columns = "hostname, service, node, certificate_expires";

    public List<StoredEdgeRoute> List()
    {
        using var connection = database.Connect();
        return connection.Query($"SELECT {Columns} FROM edge_routes ORDER BY hostname", Read);
    }

    public List<StoredEdgeRoute> Of(Label service)
    {
        using var connection = database.Connect();
        return connection.Query(
            $"SELECT {Columns} FROM edge_routes WHERE service = @service ORDER BY hostname",
            Read,
            ("service", service.Text));
    }

    public StoredEdgeRoute? Find(Hostname hostname)
    {
        using var connection = database.Connect();
        var rows = connection.Query($"SELECT {Columns} FROM edge_routes WHERE hostname = @hostname", Read, ("hostname", hostname.Text));
        return rows.FirstOrDefault();
    }

    public void Set(StoredEdgeRoute route)
    {
        database.Write(connection => connection.Run("""
            INSERT INTO edge_routes (hostname, service, node, certificate_expires) VALUES (@hostname, @service, @node, @expires)
            ON CONFLICT (hostname) DO UPDATE SET service = @service, node = @node, certificate_expires = @expires
            WHERE service <> @service OR node <> @node OR certificate_expires IS NOT @expires
            """,
            ("hostname", route.Hostname.Text),
            ("service", route.Service.Text),
            ("node", route.Node.Text),
            ("expires", route.CertificateExpires?.ToText())));
    }

    public void Remove(Hostname hostname)
    {
        database.Write(connection => connection.Run("DELETE FROM edge_routes WHERE hostname = @hostname", ("hostname", hostname.Text)));
    }

    private static StoredEdgeRoute Read(SqliteDataReader r) => new(
        Hostname.TryParse(r.GetString(0), out var hostname)
            ? hostname
            : throw new FormatException($"'{r.GetString(0)}' in edge_routes is not a hostname"),
        Label.Parse(r.GetString(1)),
        Label.Parse(r.GetString(2)),
        r.IsDBNull(3) ? null : TimeText.Read(r.GetString(3)));
}
