using Mcp.Daemon.Operations;
using Mcp.Model.Events;
using Mcp.Model.Names;
using Microsoft.Data.Sqlite;

namespace Mcp.UnitTests.Master;

/// <summary>A value that no version of mcp wrote, in one row of the master's, stops nothing but itself.</summary>
public sealed class DamagedFleetTests : FaultyFleet
{
    [Theory]
    [InlineData(@"UPDATE revisions SET body = replace(body, 'hello:v1', '\ud800') WHERE id = (SELECT revision FROM placements WHERE service = 'bad')")]
    [InlineData("UPDATE placements SET revision = NULL WHERE service = 'bad'")]
    [InlineData("PRAGMA foreign_keys = OFF; DELETE FROM revisions WHERE id = (SELECT revision FROM placements WHERE service = 'bad')")]
    [InlineData("INSERT INTO placements (service, node, updated_at) VALUES ('BAD NAME', 'alder', '')")]
    [InlineData("INSERT INTO operations (id, kind, subject, step, undoing, state, updated_at) VALUES ('x', 'deploy', 'else', 0, 0, "
        + "'', '')")]
    [InlineData("INSERT INTO leftovers (step, service, node, state, error, created_at) VALUES ('deploy', 'bad', 'BAD NODE', '', '', '')")]
    [InlineData("UPDATE nodes SET facts = x'ffffff', status = x'ffffff', last_seen = 'yesterday' WHERE name = 'beech'")]
    public async Task The_others_are_seen_and_deployed_and_the_bad_one_can_be_removed(string damage)
    {
        var directory = Fresh();
        using (var before = World(directory))
        {
            await before.DeployAsync(MasterWorld.File("bad"), "alder");
            await before.DeployAsync(MasterWorld.File("good"), "alder");
        }

        Damage(directory, damage);
        using var world = World(directory);
        await world.RecoverAsync();
        Assert.Contains((await world.Node.View.StatusAsync(null, default)).Components, c => c is { Service: "good", Observed: "running" });
        await world.DeployAsync(MasterWorld.File("good", "v2"));
        Assert.Empty(await world.Node.Undeployer.UndeployAsync(Label.Parse("bad"), default));
        Assert.Equal(["good"], Agents["alder"].Services.Keys);
    }

    [Fact]
    public async Task A_release_that_took_effect_behind_the_masters_back_has_not_failed()
    {
        using var world = World(Fresh());
        Agents["alder"].Hook = (what, _) => what == "deployed"
            ? throw new Grpc.Core.RpcException(new Grpc.Core.Status(Grpc.Core.StatusCode.Unavailable, "gone"))
            : Task.CompletedTask;
        await Assert.ThrowsAsync<StepFailedException>(() => world.DeployAsync(MasterWorld.File("blog"), "alder"));
        var blog = Label.Parse("blog");
        Assert.Equal(Outcome.Failed, Assert.Single(world.Store.Releases.Of(blog)).Outcome);
        Mend();
        await world.Node.Pending.LookAsync(default);
        Assert.Contains(world.Store.Events.After(0, 100), e => e.Kind == EventKind.DeployAccepted);
        Assert.Equal((Outcome.Done, ""), (world.Store.Releases.Of(blog)[0].Outcome, world.Store.Releases.Of(blog)[0].Why));
    }

    private static void Damage(string directory, string sql)
    {
        using var store = new SqliteConnection($"Data Source={Path.Combine(directory, "master.db")};Pooling=false");
        store.Open();
        using var change = store.CreateCommand();
#pragma warning disable CA2100 // the damages of this test
        change.CommandText = sql;
#pragma warning restore CA2100
        change.ExecuteNonQuery();
    }
}
