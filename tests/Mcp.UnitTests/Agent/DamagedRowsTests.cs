using Mcp.Model.Errors;
using Mcp.Model.Names;
using Mcp.TestKit.Fakes;
using Microsoft.Data.Sqlite;

namespace Mcp.UnitTests.Agent;

/// <summary>A value that no version of mcp wrote, in one row, stops nothing but itself.</summary>
public sealed class DamagedRowsTests : IDisposable
{
    private static readonly Label s_bad = Label.Parse("bad");
    private readonly string _directory = Directory.CreateTempSubdirectory("mcp-damaged").FullName;
    private readonly FakeRuntime _runtime = new(TimeProvider.System) { Images = { "example.com/hello:v1", "example.com/hello:v2" } };

    public void Dispose()
    {
        _runtime.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    [Theory]
    [InlineData(@"UPDATE components SET definition = replace(definition, 'hello:v1', '\ud800') WHERE service = 'bad'")]
    [InlineData("UPDATE components SET definition = '{\"schema\":1,\"\\ud800\":1}' WHERE service = 'bad'")]
    [InlineData("UPDATE components SET generation = 99999999999 WHERE service = 'bad'")]
    [InlineData("UPDATE components SET generation = 'seven' WHERE service = 'bad'")]
    [InlineData("UPDATE components SET updated_at = 'yesterday' WHERE service = 'bad'")]
    [InlineData("UPDATE routes SET name = 'BAD NAME' WHERE service = 'bad'; UPDATE components SET definition = '{' WHERE service = 'bad'")]
    [InlineData("INSERT INTO operations (id, kind, subject, step, undoing, state, updated_at) VALUES ('x', 'rollout', 'bad', 0, 0, "
        + "'', '')")]
    [InlineData("INSERT INTO operations (id, kind, subject, step, undoing, state, updated_at) VALUES "
        + "('0f8fad5b-d9cb-469f-a165-70867728950e', 'rollout', 'else', 99999999999, 0, '{}', '')")]
    [InlineData("INSERT INTO operations (id, kind, subject, step, undoing, state, updated_at) VALUES "
        + "('0f8fad5b-d9cb-469f-a165-70867728950e', 'rollout', 'good', 99, 0, '{}', '')")]
    [InlineData("INSERT INTO operations (id, kind, subject, step, undoing, state, updated_at) VALUES "
        + "('0f8fad5b-d9cb-469f-a165-70867728950e', 'rollout', 'bad', 2, 1, 'garbage', '')")]
    [InlineData("INSERT INTO holds (service, component) VALUES ('BAD X', 'Y Z')")]
    [InlineData("UPDATE releases SET number = 9223372036854775807 WHERE service = 'good'")]
    public async Task The_others_are_seen_deployed_and_mended_and_the_bad_one_can_be_removed(string damage)
    {
        using (var before = new World(_directory, _runtime))
        {
            await before.DeployAsync(World.Service("good", "v1"));
            await before.DeployAsync(World.Service("bad", "v1"));
        }

        Damage(damage);
        using var world = new World(_directory, _runtime);
        await world.RecoverAsync();
        await world.DeployAsync(World.Service("good", "v2"));
        await world.DeployAsync(World.Service("good", "v1"));
        Assert.Contains(world.Registry.Components.List(), c => c.Service.Text == "good");
        await world.Undeployer.UndeployAsync(s_bad, default);
        await world.RecoverAsync();
        Assert.Equal(["good.web.3"], await world.InstancesAsync());
    }

    [Fact]
    public async Task A_component_that_has_had_its_last_generation_gets_no_negative_one()
    {
        using (var before = new World(_directory, _runtime))
            await before.DeployAsync(World.Service("bad", "v1"));
        Damage("UPDATE generations SET last = 2147483647 WHERE service = 'bad'");
        using var world = new World(_directory, _runtime);
        var refused = await Assert.ThrowsAsync<McpException>(() => world.DeployAsync(World.Service("bad", "v2")));
        Assert.Contains("has used up its generation numbers", refused.Message, StringComparison.Ordinal);
        Assert.Equal(["bad.web.1"], await world.RunningAsync());
    }

    private void Damage(string sql)
    {
        using var registry = new SqliteConnection($"Data Source={Path.Combine(_directory, "registry.db")};Pooling=false");
        registry.Open();
        using var change = registry.CreateCommand();
#pragma warning disable CA2100 // the damages of this test
        change.CommandText = sql;
#pragma warning restore CA2100
        change.ExecuteNonQuery();
    }
}
