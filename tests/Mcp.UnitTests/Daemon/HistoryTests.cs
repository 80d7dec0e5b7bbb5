using Mcp.Agent.Registry;
using Mcp.Daemon.Storage;
using Mcp.Master.Store;
using Mcp.Model.Histories;
using Mcp.Model.Names;
using Mcp.Model.Placement;
using Mcp.Protocol.Histories;
using Mcp.Protocol.V1;

namespace Mcp.UnitTests.Daemon;

public sealed class HistoryTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("mcp-history").FullName;

    private string RegistryFile => Path.Combine(_directory, "registry.db");

    private string MasterFile => Path.Combine(_directory, "master.db");

    [Fact]
    public void Each_start_begins_an_epoch_where_the_one_before_ended()
    {
        var first = Run(changes: 2);
        var second = Run(changes: 0);
        var third = Run(changes: 1);
        Assert.Equal((0, 2, 2, 3), (first.Ancestors.Count, first.Change, second.Change, third.Change));
        Assert.Equal(3, new[] { first.Epoch, second.Epoch, third.Epoch }.Distinct().Count());
        Assert.Equal([new EndedEpoch(second.Epoch, 2), new EndedEpoch(first.Epoch, 2)], third.Ancestors);
        Assert.Equal([first.Epoch, second.Epoch, third.Epoch], third.Epochs);
    }

    [Fact]
    public void A_start_after_a_kill_begins_an_epoch_after_the_last_change_that_was_committed()
    {
        using var killed = MasterStore.Open(MasterFile, TimeProvider.System);
        killed.NextRequest();
        var before = killed.History.Now()!;
        using var store = MasterStore.Open(MasterFile, TimeProvider.System);
        var after = store.History.Now()!;
        Assert.Equal((1, 1), (before.Change, after.Change));
        Assert.Equal(new EndedEpoch(before.Epoch, 1), Assert.Single(after.Ancestors));
    }

    [Fact]
    public void The_newest_32_epochs_before_are_told_and_10000_are_kept()
    {
        Run(changes: 1);
        using (var database = Database.Open(RegistryFile, AgentRegistry.Owner))
        {
            database.Alter(connection => connection.Run("""
                WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10500)
                INSERT INTO epochs (epoch, parent, parent_change) SELECT printf('%032x', i), NULL, 1 FROM n
                """));
        }

        var now = Run(changes: 0);
        Assert.Equal(Enumerable.Range(0, 32).Select(i => $"{10500 - i:x32}"), now.Ancestors.Select(a => a.Epoch.Text));
        Assert.Equal((History.Kept, History.Kept), (10_000, Count("epochs")));
    }

    [Fact]
    public void Where_nothing_can_be_written_at_the_start_the_epoch_begins_with_the_first_change()
    {
        var before = Run(changes: 1);
        using var other = Database.Open(RegistryFile, AgentRegistry.Owner);
        other.Alter(connection => connection.Run("CREATE TRIGGER full BEFORE INSERT ON epochs BEGIN SELECT RAISE(ABORT, 'full'); END"));
        using var registry = AgentRegistry.Open(RegistryFile, TimeProvider.System);
        Assert.Equal((before.Epoch, 1), (registry.History.Now()!.Epoch, registry.History.Now()!.Change));
        Assert.ThrowsAny<Exception>(() => Change(registry, 7));
        other.Alter(connection => connection.Run("DROP TRIGGER full"));
        Change(registry, 7);
        Change(registry, 8);
        var now = registry.History.Now()!;
        Assert.Equal(3, now.Change);
        Assert.Equal(new EndedEpoch(before.Epoch, 1), Assert.Single(now.Ancestors));
    }

    [Fact]
    public void Of_a_peer_the_greatest_change_of_each_epoch_is_remembered_and_that_is_no_change()
    {
        using var store = MasterStore.Open(MasterFile, TimeProvider.System);
        var (one, two) = (At('a', 5), At('b', 2));
        foreach (var seen in (Standing[])[one, one with { Change = 9 }, two, one with { Change = 3 }])
            store.Peers.Saw("alder", seen);
        Assert.Equal((9, 2), (store.Peers.Greatest("alder", one.Epoch), store.Peers.Greatest("alder", two.Epoch)));
        Assert.Null(store.Peers.Greatest("beech", one.Epoch));
        Assert.Equal(0, store.History.Now()!.Change);
        using var again = MasterStore.Open(MasterFile, TimeProvider.System);
        Assert.Equal(9, again.Peers.Greatest("alder", one.Epoch));
    }

    [Fact]
    public void Of_each_peer_10000_epochs_are_kept_and_of_a_node_that_was_removed_none()
    {
        using var store = MasterStore.Open(MasterFile, TimeProvider.System);
        store.Nodes.Joined(Label.Parse("alder"), "100.64.0.2:7443", [NodeRole.Worker], "key");
        store.Peers.Saw("beech", At('b', 1));
        using (var database = Database.Open(MasterFile, MasterStore.Owner))
        {
            database.Alter(connection => connection.Run("""
                WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10500)
                INSERT INTO peers (peer, epoch, change) SELECT 'alder', printf('%032x', i), 1 FROM n
                """));
        }

        store.Peers.Saw("alder", At('a', 7));
        Assert.Equal((10_000, 10_001), (PeersTable.Kept, Count("peers", MasterFile)));
        Assert.Equal(7, store.Peers.Greatest("alder", At('a', 0).Epoch));
        store.RemoveNode(Label.Parse("alder"), force: false);
        Assert.Equal(1, Count("peers", MasterFile));
    }

    [Fact]
    public void What_can_be_no_standing_is_none()
    {
        var wire = (At('a', 7) with { Ancestors = [new EndedEpoch(At('b', 0).Epoch, 5)] }).ToWire();
        var read = StandingMapping.Read(wire)!;
        Assert.Equal((At('a', 7).Epoch, 7, new EndedEpoch(At('b', 0).Epoch, 5)), (read.Epoch, read.Change, Assert.Single(read.Ancestors)));
        Assert.Null(StandingMapping.Read(null));
        foreach (var wrong in (Action<DatabaseStanding>[])
            [
                w => w.Epoch = "",
                w => w.Epoch = new string('A', 32),
                w => w.Epoch = new string('a', 33),
                w => w.Change = -1,
                w => w.Ancestors[0].Epoch = "older",
                w => w.Ancestors[0].Change = -1,
                w => w.Ancestors.Add(Enumerable.Repeat(w.Ancestors[0], 32)),
            ])
        {
            var broken = wire.Clone();
            wrong(broken);
            Assert.Null(StandingMapping.Read(broken));
        }
    }

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    private static Standing At(char digit, long change) => new(Epoch.Parse(new string(digit, Epoch.Length)), change, []);

    private static void Change(AgentRegistry registry, int generation) =>
        registry.Generations.Give(Label.Parse("blog"), Label.Parse("web"), generation);

    // What an agent does from its start to its end.
    private Standing Run(int changes)
    {
        using var registry = AgentRegistry.Open(RegistryFile, TimeProvider.System);
        for (var i = 0; i < changes; i++)
            Change(registry, i);
        return registry.History.Now()!;
    }

    private long Count(string table, string? file = null)
    {
        using var database = Database.Open(file ?? RegistryFile, AgentRegistry.Owner);
        using var connection = database.Connect();
        return (long)connection.Scalar($"SELECT COUNT(*) FROM {table}")!;
    }
}
