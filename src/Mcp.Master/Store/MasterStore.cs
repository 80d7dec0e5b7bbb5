using Mcp.Daemon.Events;
using Mcp.Daemon.Operations;
using Mcp.Daemon.Revisions;
using Mcp.Daemon.Storage;
using Mcp.Model.Errors;
using Mcp.Model.Histories;
using Mcp.Model.Names;

namespace Mcp.Master.Store;

/// <summary>What the master knows, in SQLite: one object a table. Nothing that matters is kept in memory only.</summary>
public sealed class MasterStore : IDisposable
{
    /// <summary>Of the file.</summary>
    public static readonly DatabaseOwner Owner = new(
        "mcp-master",
        "the master's database",
        "let each node join again (its STATE/member must be removed first); mcp adopt then takes over what runs there");

    /// <summary>In order.</summary>
    public static readonly IReadOnlyList<Migration> Migrations =
        [.. Migration.In(typeof(MasterStore).Assembly)
            .Select(m => m.Number == RevisionsOfPlacements.Number ? m with { Then = RevisionsOfPlacements.Convert } : m)];

    private readonly Database _database;
    private readonly TimeProvider _time;

    private MasterStore(Database database, TimeProvider time)
    {
        (_database, _time) = (database, time);
        History = History.Begin(database);
        Peers = new PeersTable(database);
        Nodes = new NodesTable(database, time);
        JoinTokens = new JoinTokensTable(database, time);
        Placements = new PlacementsTable(database, time);
        Hostnames = new HostnamesTable(database);
        DnsRecords = new DnsRecordsTable(database);
        EdgeRoutes = new EdgeRoutesTable(database);
        Leftovers = new LeftoversTable(database, time);
        Operations = new OperationsTable(database, time);
        Releases = new ReleasesTable(database, time);
        Events = new EventsTable(database, time);
    }

    /// <summary>Of this database.</summary>
    public History History { get; }

    /// <summary>The agents' databases, by the names of their nodes.</summary>
    public PeersTable Peers { get; }

    public NodesTable Nodes { get; }

    public JoinTokensTable JoinTokens { get; }

    public PlacementsTable Placements { get; }

    public HostnamesTable Hostnames { get; }

    public DnsRecordsTable DnsRecords { get; }

    public EdgeRoutesTable EdgeRoutes { get; }

    public LeftoversTable Leftovers { get; }

    public OperationsTable Operations { get; }

    public ReleasesTable Releases { get; }

    public EventsTable Events { get; }

    /// <summary>Opens it to work with it: a new epoch of it begins.</summary>
    public static MasterStore Open(string file, TimeProvider time)
    {
        var database = Database.Open(file, Owner);
        Migrator.Migrate(database, Migrations);
        return new MasterStore(database, time);
    }

    /// <summary>For the next request to an agent: a change of its own, so no two have the same number.</summary>
    public RequestNumber NextRequest() => _database.Write(connection =>
    {
        // For agents that know no epochs: greater than any of a database that was lost, as far as the clock is right.
        var sequence = (long)connection.Scalar("""
            INSERT INTO sequence (only, last) VALUES (1, @now)
            ON CONFLICT (only) DO UPDATE SET last = MAX(last + 1, @now) RETURNING last
            """,
            ("now", _time.GetUtcNow().ToUnixTimeMilliseconds()))!;
        return new RequestNumber(sequence, History.Read(connection)!.Next());
    });

    /// <summary>Forgets a node with all that is placed there, at once.</summary>
    /// <param name="force">Also if services are, or are going, there, or left a copy there.</param>
    /// <returns>The services that are forgotten.</returns>
    /// <exception cref="McpException">node.unknown. node.busy: names what is there; nothing was changed.</exception>
    public List<Label> RemoveNode(Label node, bool force) => _database.Write(connection =>
    {
        var there = PlacementsTable.List(connection).FindAll(p => p.Holds(node)).ConvertAll(p => p.Service.Text);
        var copies = connection.Query(
            "SELECT service FROM leftovers WHERE node = @node AND step IN ('deploy', 'leave')",
            r => r.GetString(0),
            ("node", node.Text));
        if (there.Count + copies.Count > 0 && !force)
        {
            var left = copies.Except(there).Select(c => $"a copy of {c} that is still to be removed");
            throw new McpException(
                ErrorCode.NodeBusy,
                $"{node} has {string.Join(", ", there.Concat(left))}",
                $"mcp node drain {node} first; --force forgets them");
        }

        var forgotten = PlacementsTable.Forget(connection, node);
        PeersTable.Forget(connection, node.Text);
        connection.Run("DELETE FROM leftovers WHERE node = @node AND step IN ('deploy', 'leave')", ("node", node.Text));
        if (connection.Run("DELETE FROM nodes WHERE name = @name", ("name", node.Text)) == 0)
            throw new McpException(ErrorCode.NodeUnknown, $"there is no node {node}", "mcp node list shows those that are there");
        return forgotten;
    });

    public void Dispose() => _database.Dispose();
}
