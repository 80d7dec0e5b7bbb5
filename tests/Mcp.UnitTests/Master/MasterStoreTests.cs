using Mcp.Daemon.Storage;
using Mcp.Master.Store;
using Mcp.Model.Names;

namespace Mcp.UnitTests.Master;

public sealed class MasterStoreTests : IDisposable
{
    // The migration that made the sequence of requests.
    private const int Sequence = 2;

    // The one that made revisions of service files.
    private const int Revisions = 6;
    private const string Placed = """
        INSERT INTO placements (service, node, definition, updated_at) VALUES ('blog', 'alder', 'name = "blog"', '2026-01-01T00:00:00Z');
        """;

    private const string PlacedRevision = """
        INSERT INTO revisions (id, body, made_at) VALUES ('1', '{"schema":1,"name":"blog"}', '2026-01-01T00:00:00Z');
        INSERT INTO placements (service, node, revision, updated_at) VALUES ('blog', 'alder', '1', '2026-01-01T00:00:00Z');
        """;

    private const long LastRequest = 4_000_000_000_000;

    private readonly string _directory = Directory.CreateTempSubdirectory("mcp-master-store").FullName;

    public static TheoryData<int> Versions => [.. Migration.In(typeof(MasterStore).Assembly).Select(m => m.Number)];

    private string DatabaseFile => Path.Combine(_directory, "master.db");

    [Theory]
    [MemberData(nameof(Versions))]
    public void An_older_database_is_upgraded_in_place_and_keeps_its_fleet(int version)
    {
        using (var old = Database.Open(DatabaseFile, MasterStore.Owner))
        {
            Migrator.Migrate(old, MasterStore.Migrations, upTo: version);
            old.Alter(connection => connection.Run("""
                INSERT INTO nodes (name, address, roles, key, cordoned) VALUES ('alder', '100.64.0.2:7443', 'worker', 'key', 1);
                """));
            old.Alter(connection => connection.Run(version < Revisions ? Placed : PlacedRevision));
            if (version >= Sequence)
                old.Alter(connection => connection.Run("INSERT INTO sequence (only, last) VALUES (1, @last)", ("last", LastRequest)));
        }

        using var store = MasterStore.Open(DatabaseFile, TimeProvider.System);
        var node = Assert.Single(store.Nodes.List());
        Assert.Equal(("alder", "key", true), (node.Name.Text, node.Key, node.Cordoned));
        Assert.Equal("alder", Assert.Single(store.Placements.List()).Node?.Text);
        // What it changes is numbered from now on, and its next request comes after the last one.
        store.Nodes.Cordon(Label.Parse("alder"), false);
        Assert.Equal(1, Changes());
        Assert.Equal(version >= Sequence ? LastRequest + 1 : LastRequest, Math.Max(store.NextRequest().Sequence, LastRequest));
    }

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    private long Changes()
    {
        using var database = Database.Open(DatabaseFile, MasterStore.Owner);
        using var connection = database.Connect();
        return (long)connection.Scalar("SELECT last FROM changes")!;
    }
}
