using Mcp.Agent.Registry;
using Mcp.Daemon.Storage;
using Mcp.Master.Store;
using Mcp.Model.Events;
using Mcp.Model.Names;
using Mcp.Model.Placement;
using Mcp.TestKit;
using Microsoft.Data.Sqlite;

namespace Mcp.UnitTests.Daemon;

public sealed class DatabaseTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("mcp-database").FullName;
    private readonly Database _database;

    public DatabaseTests()
    {
        _database = Database.Open(Path.Combine(_directory, "registry.db"), AgentRegistry.Owner);
        Migrator.Migrate(_database, AgentRegistry.Migrations);
    }

    [Fact]
    public void Each_committed_change_raises_the_change_number_by_one()
    {
        _database.Write(Hold("blog"));
        _database.Write(connection =>
        {
            Hold("shop")(connection);
            Hold("mail")(connection);
        });
        Assert.Equal((2, 3), (Changes(), Holds()));
    }

    [Fact]
    public void A_write_that_changes_nothing_is_no_change()
    {
        _database.Write(Hold("blog"));
        _database.Write(Hold("blog"));
        _database.Write(connection => connection.Query("SELECT * FROM holds", _ => 0));
        Assert.Equal(1, Changes());
    }

    [Fact]
    public void What_is_only_noted_is_no_change()
    {
        Assert.Equal(1, _database.Note(Hold("blog")));
        Assert.Equal((0, 1), (Changes(), Holds()));
    }

    [Fact]
    public void A_write_that_fails_leaves_what_was_and_the_number_with_it()
    {
        Assert.Throws<InvalidDataException>(() => _database.Write(connection =>
        {
            Hold("blog")(connection);
            throw new InvalidDataException();
        }));
        Assert.Equal((0, 0), (Changes(), Holds()));
    }

    [Fact]
    public async Task No_change_of_writers_at_once_is_lost()
    {
        await Task.WhenAll(Enumerable.Range(0, 8).Select(writer => Task.Run(() =>
        {
            for (var i = 0; i < 10; i++)
                _database.Write(Hold($"s{writer}-{i}"));
        })));
        Assert.Equal((80, 80), (Changes(), Holds()));
    }

    [Fact]
    public void Nobody_writes_with_a_connection_for_reading()
    {
        // Twice: the pool gives a connection that wrote to who reads, and the other way round.
        for (var i = 0; i < 2; i++)
        {
            using (var connection = _database.Connect())
                Assert.Equal(8, Assert.Throws<SqliteException>(() => Hold("blog")(connection)).SqliteErrorCode);
            _database.Write(Hold($"s{i}"));
        }

        Assert.Equal((2, 2), (Changes(), Holds()));
    }

    [Theory]
    [InlineData("src/Mcp.Agent")]
    [InlineData("src/Mcp.Master")]
    [InlineData("src/Mcp.Daemon")]
    public void Every_table_is_written_through_the_one_place(string program)
    {
        var outside = Repository.Sources(program).Where(f => Path.GetFileName(Path.GetDirectoryName(f)) != "Storage");
        var sources = outside.Select(File.ReadAllText).ToList();
        Assert.Contains(sources, s => s.Contains("database.Write(", StringComparison.Ordinal));
        foreach (var past in (string[])["new SqliteConnection", "BeginTransaction", "BEGIN", ".Alter(", "UPDATE changes"])
            Assert.DoesNotContain(sources, s => s.Contains(past, StringComparison.Ordinal));
    }

    [Fact]
    public void Events_and_heartbeats_raise_no_change_number()
    {
        using var store = MasterStore.Open(Path.Combine(_directory, "master.db"), TimeProvider.System);
        using var database = Database.Open(Path.Combine(_directory, "master.db"), MasterStore.Owner);
        store.Nodes.Joined(Label.Parse("hugo"), "100.64.0.1:7443", [NodeRole.Worker], "key");
        var before = Changes(database);
        store.Events.Add("", "", EventKind.NodeJoined, "hugo");
        store.Nodes.Seen(Label.Parse("hugo"), new(), new());
        Assert.Equal((1, before), (before, Changes(database)));
    }

    public void Dispose()
    {
        _database.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    private static Func<SqliteConnection, int> Hold(string service) =>
        connection => connection.Run("INSERT OR IGNORE INTO holds (service, component) VALUES (@service, 'web')", ("service", service));

    private static long Changes(Database database)
    {
        using var connection = database.Connect();
        return (long)connection.Scalar("SELECT last FROM changes")!;
    }

    private long Changes() => Changes(_database);

    private long Holds()
    {
        using var connection = _database.Connect();
        return (long)connection.Scalar("SELECT COUNT(*) FROM holds")!;
    }
}
