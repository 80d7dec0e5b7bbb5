using System.Globalization;
using Mcp.Daemon.Storage;
using Mcp.Model;
using Mcp.Model.Definition;
using Mcp.Model.Names;
using Microsoft.Data.Sqlite;

namespace Mcp.Master.Store;

/// <param name="Node">Where it is; null: nowhere yet.</param>
/// <param name="Target">Where it is going; null: it stays. Kept from before the first side effect there until the deploy is recorded or undone.</param>
/// <param name="Definition">As deployed last; while it goes somewhere, as it is to be there.</param>
public sealed record Placement(Label Service, Label? Node, Label? Target, string Definition)
{
    /// <summary>Where it is to be.</summary>
    public Label Home => Target ?? Node!;

    /// <summary>Where it is as far as its names say; for one that is nowhere yet, where it is going.</summary>
    public Label Seat => Node ?? Target!;
}

public sealed class PlacementsTable(Database database, TimeProvider time)
{
    private const string Columns = "service, node, target, definition";

    public List<Placement> List()
    {
        using var connection = database.Connect();
        return connection.Query($"SELECT {Columns} FROM placements ORDER BY service", Read);
    }

    public Placement? Find(Label service)
    {
        using var connection = database.Connect();
        return connection.Query($"SELECT {Columns} FROM placements WHERE service = @service", Read, ("service", service.Text)).FirstOrDefault();
    }

    /// <summary>How many services each node has or is about to have.</summary>
    public Dictionary<string, int> Counts()
    {
        using var connection = database.Connect();
        return connection.Query("SELECT COALESCE(target, node), COUNT(*) FROM placements GROUP BY 1", r => (r.GetString(0), r.GetInt32(1))).ToDictionary();
    }

    /// <summary>Before anything of it is touched there; its hostnames belong to it from now on.</summary>
    /// <exception cref="McpException">route.taken</exception>
    public void Reserve(ServiceDefinition service, Label target, string definition)
    {
        using var connection = database.Connect();
        using var transaction = connection.BeginTransaction();
        connection.Run("INSERT INTO placements (service, target, definition, updated_at) VALUES (@service, @target, @definition, @now) ON CONFLICT (service) DO UPDATE SET target = @target, updated_at = @now",
            ("service", service.Name.Text), ("target", target.Text), ("definition", definition), ("now", Now()));
        HostnamesTable.Claim(connection, service);
        transaction.Commit();
    }

    /// <summary>The target did not get it: back to where it was, or to nowhere.</summary>
    public void Release(Label service)
    {
        using var connection = database.Connect();
        using var transaction = connection.BeginTransaction();
        connection.Run("DELETE FROM placements WHERE service = @service AND node IS NULL", ("service", service.Text));
        connection.Run("UPDATE placements SET target = NULL WHERE service = @service", ("service", service.Text));
        if (connection.Scalar("SELECT definition FROM placements WHERE service = @service", ("service", service.Text)) is string definition)
            HostnamesTable.Settle(connection, ServiceFile.Parse(definition, "service file"));
        transaction.Commit();
    }

    /// <exception cref="McpException">route.taken</exception>
    public void Record(ServiceDefinition service, Label node, string definition)
    {
        using var connection = database.Connect();
        using var transaction = connection.BeginTransaction();
        connection.Run("INSERT INTO placements (service, node, definition, updated_at) VALUES (@service, @node, @definition, @now) ON CONFLICT (service) DO UPDATE SET node = @node, target = NULL, definition = @definition, updated_at = @now",
            ("service", service.Name.Text), ("node", node.Text), ("definition", definition), ("now", Now()));
        HostnamesTable.Settle(connection, service);
        transaction.Commit();
    }

    public void Remove(Label service)
    {
        using var connection = database.Connect();
        connection.Run("DELETE FROM placements WHERE service = @service", ("service", service.Text));
    }

    private string Now() => time.GetUtcNow().ToString("O", CultureInfo.InvariantCulture);

    private static Placement Read(SqliteDataReader r) =>
        new(Label.Parse(r.GetString(0)), r.IsDBNull(1) ? null : Label.Parse(r.GetString(1)), r.IsDBNull(2) ? null : Label.Parse(r.GetString(2)), r.GetString(3));
}
