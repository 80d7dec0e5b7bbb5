using Mcp.Daemon.Events;
using Mcp.Daemon.Operations;
using Mcp.Daemon.Storage;

namespace Mcp.Master.Store;

/// <summary>What the master knows, in SQLite: one object a table. Nothing that matters is kept in memory only.</summary>
public sealed class MasterStore : IDisposable
{
    private readonly Database _database;
    private readonly TimeProvider _time;

    private MasterStore(Database database, TimeProvider time)
    {
        (_database, _time) = (database, time);
        Nodes = new NodesTable(database, time);
        JoinTokens = new JoinTokensTable(database, time);
        Placements = new PlacementsTable(database, time);
        Hostnames = new HostnamesTable(database);
        DnsRecords = new DnsRecordsTable(database);
        EdgeRoutes = new EdgeRoutesTable(database);
        Leftovers = new LeftoversTable(database, time);
        Operations = new OperationsTable(database, time);
        Events = new EventsTable(database, time);
    }

    public NodesTable Nodes { get; }

    public JoinTokensTable JoinTokens { get; }

    public PlacementsTable Placements { get; }

    public HostnamesTable Hostnames { get; }

    public DnsRecordsTable DnsRecords { get; }

    public EdgeRoutesTable EdgeRoutes { get; }

    public LeftoversTable Leftovers { get; }

    public OperationsTable Operations { get; }

    public EventsTable Events { get; }

    public static MasterStore Open(string file, TimeProvider time)
    {
        var database = Database.Open(file);
        Migrator.Migrate(database, Migration.In(typeof(MasterStore).Assembly));
        return new MasterStore(database, time);
    }

    /// <summary>Greater with each call, and than any of a database that was lost: milliseconds since 1970 or one more than the last.</summary>
    public long NextSequence()
    {
        using var connection = _database.Connect();
        return (long)connection.Scalar("INSERT INTO sequence (only, last) VALUES (1, @now) ON CONFLICT (only) DO UPDATE SET last = MAX(last + 1, @now) RETURNING last", ("now", _time.GetUtcNow().ToUnixTimeMilliseconds()))!;
    }

    public void Dispose() => _database.Dispose();
}
