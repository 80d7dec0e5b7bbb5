using Mcp.Daemon.Events;
using Mcp.Daemon.Operations;
using Mcp.Daemon.Revisions;
using Mcp.Daemon.Storage;

namespace Mcp.Agent.Registry;

/// <summary>The node's desired state in SQLite: one object a table.</summary>
public sealed class AgentRegistry : IDisposable
{
    /// <summary>Of the file.</summary>
    public static readonly DatabaseOwner Owner = new(
        "mcp-agent",
        "the registry",
        "deploy the services again; mcp adopt takes over those that run");

    /// <summary>In order.</summary>
    public static readonly IReadOnlyList<Migration> Migrations =
        [.. Migration.In(typeof(AgentRegistry).Assembly)
            .Select(m => m.Number == DefinitionBodies.Number ? m with { Then = DefinitionBodies.Convert } : m)];

    private readonly Database _database;

    private AgentRegistry(Database database, TimeProvider time)
    {
        _database = database;
        History = History.Begin(database);
        Peers = new PeersTable(database);
        Components = new ComponentsTable(database, time);
        Generations = new GenerationsTable(database);
        Holds = new HoldsTable(database);
        KeptImages = new KeptImagesTable(database);
        Images = new ImagesTable(database, time);
        Ports = new PortsTable(database);
        Sequences = new SequencesTable(database);
        EdgeRoutes = new EdgeRoutesTable(database, time);
        Issuances = new IssuancesTable(database, time);
        Events = new EventsTable(database, time);
        Operations = new OperationsTable(database, time);
        Releases = new ReleasesTable(database, time);
    }

    /// <summary>Of this database.</summary>
    public History History { get; }

    /// <summary>The master's database, by its fleet.</summary>
    public PeersTable Peers { get; }

    public ComponentsTable Components { get; }

    public GenerationsTable Generations { get; }

    public HoldsTable Holds { get; }

    public KeptImagesTable KeptImages { get; }

    public ImagesTable Images { get; }

    public PortsTable Ports { get; }

    public SequencesTable Sequences { get; }

    public EdgeRoutesTable EdgeRoutes { get; }

    public IssuancesTable Issuances { get; }

    public EventsTable Events { get; }

    public OperationsTable Operations { get; }

    public ReleasesTable Releases { get; }

    /// <summary>Opens it to work with it: a new epoch of it begins.</summary>
    public static AgentRegistry Open(string file, TimeProvider time)
    {
        var database = Database.Open(file, Owner);
        Migrator.Migrate(database, Migrations);
        return new AgentRegistry(database, time);
    }

    public void Dispose() => _database.Dispose();
}
