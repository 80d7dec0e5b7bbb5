using Mcp.FleetTests.Hosts;
using Microsoft.Data.Sqlite;

namespace Mcp.FleetTests;

/// <summary>Drains that meet services half deployed, with data, or with a definition of another version.</summary>
[Collection("fleet")]
public class DrainTests(Fleet fleet)
{
    [Fact]
    public async Task A_service_whose_deploy_failed_at_the_edge_outlives_a_drain_with_its_new_definition()
    {
        await fleet.EmptyAsync();
        await fleet.McpOkAsync("deploy", fleet.Write("half"), "--node", "beech");
        await fleet.KillAgentAsync(Fleet.Edge);
        var (exitCode, output, error) = await fleet.McpAsync("deploy", fleet.Write("half", "v2", isPublic: true));
        Assert.True(exitCode == 1, output + error);
        Assert.Contains("failed  edge", output, StringComparison.Ordinal);
        fleet.StartAgent(Fleet.Edge);
        await Fleet.UntilAsync(async () => (await fleet.NodesAsync()).Contains((Fleet.Edge, "reachable")), "the edge node is back");
        await fleet.HeartbeatAsync(Fleet.Edge);
        Assert.Contains("hello:v2", await fleet.McpOkAsync("service", "show", "half"), StringComparison.Ordinal);

        Assert.Contains("now on cedar", await fleet.McpOkAsync("node", "drain", "beech"), StringComparison.Ordinal);
        Assert.Equal("hello from v2", await fleet.GetAsync("cedar", "half"));
        Assert.Equal("hello from v2", await fleet.GetByNameAsync("half"));
        Assert.Empty(await fleet.ContainersAsync("beech", "half"));
        Assert.Equal([("half", "cedar", "running", false)], await fleet.StatusAsync());
        await fleet.EmptyAsync();
    }

    [Fact]
    public async Task A_service_with_data_stays_is_named_and_moves_when_its_data_may_stay()
    {
        await fleet.EmptyAsync();
        foreach (var node in (string[])["beech", "cedar"])
            Directory.CreateDirectory(Path.Combine(fleet.Root, node, "srv", "kept"));
        var path = Path.Combine(fleet.Root, "beech", "srv", "kept");
        var file = fleet.Write("kept");
        await File.WriteAllTextAsync(
            file,
            (await File.ReadAllTextAsync(file)).Replace("health =", $"volumes = [\"{path}:/data\"]\nhealth =", StringComparison.Ordinal));
        await fleet.McpOkAsync("deploy", file, "--node", "beech");
        await fleet.McpOkAsync("deploy", fleet.Write("light"), "--node", "beech");
        var left = $"kept would leave data behind: web {path} on beech";

        var plan = await fleet.McpAsync("plan", file, "--node", "cedar");
        Assert.Equal(1, plan.ExitCode);
        Assert.Contains(left, plan.Output, StringComparison.Ordinal);
        Assert.Contains(
            "on cedar: as asked",
            await fleet.McpOkAsync("plan", file, "--node", "cedar", "--leave-data"),
            StringComparison.Ordinal);
        var move = await fleet.McpAsync("deploy", file, "--node", "cedar");
        Assert.Equal(1, move.ExitCode);
        Assert.Contains(left, move.Error, StringComparison.Ordinal);

        var drain = await fleet.McpAsync("node", "drain", "beech");
        Assert.Equal(1, drain.ExitCode);
        Assert.Contains("now on cedar", drain.Output, StringComparison.Ordinal);
        Assert.Contains($"beech is cordoned, and is not empty yet: kept: {left}", drain.Error, StringComparison.Ordinal);
        Assert.Contains("--leave-data", drain.Error, StringComparison.Ordinal);
        Assert.Equal([("kept", "beech"), ("light", "cedar")], (await fleet.StatusAsync()).Select(c => (c.Service, c.Node)));

        Directory.CreateDirectory(path);
        await fleet.McpOkAsync("node", "drain", "beech", "--leave-data");
        Assert.Equal([("kept", "cedar"), ("light", "cedar")], (await fleet.StatusAsync()).Select(c => (c.Service, c.Node)));
        await fleet.EmptyAsync();
    }

    [Fact]
    public async Task A_definition_of_another_version_is_shown_keeps_nothing_else_from_going_on_and_can_be_undeployed()
    {
        await fleet.EmptyAsync();
        await fleet.McpOkAsync("deploy", fleet.Write("future"), "--node", "beech");
        await fleet.McpOkAsync("deploy", fleet.Write("today"), "--node", "beech");
        await using (var connection = new SqliteConnection(
            $"Data Source={Path.Combine(fleet.MasterState, "master.db")};Pooling=False;Default Timeout=10"))
        {
            await connection.OpenAsync(TestContext.Current.CancellationToken);
            await using var command = connection.CreateCommand();
            command.CommandText = """
                INSERT INTO revisions (id, body, made_at)
                SELECT 'of-next-year', json_set(body, '$.components[0].runtime', 'of-next-year'), made_at FROM revisions
                WHERE id = (SELECT revision FROM placements WHERE service = 'future');
                UPDATE placements SET revision = 'of-next-year' WHERE service = 'future';
                """;
            Assert.Equal(2, await command.ExecuteNonQueryAsync(TestContext.Current.CancellationToken));
        }

        await fleet.StopMasterAsync();
        fleet.StartMaster();
        await Fleet.UntilAsync(async () => (await fleet.McpAsync("whoami")).ExitCode == 0, "the master is back");
        Assert.Contains("unreadable", await fleet.McpOkAsync("status"), StringComparison.Ordinal);
        await Fleet.UntilAsync(
            async () => (await fleet.McpOkAsync("events")).Contains("definition.unreadable", StringComparison.Ordinal),
            "it is an event");
        await fleet.McpOkAsync("deploy", fleet.Write("today", "v2"));
        Assert.Equal("hello from v2", await fleet.GetAsync("beech", "today"));
        Assert.Equal("hello from v1", await fleet.GetByNameAsync("future"));
        await fleet.McpOkAsync("undeploy", "future");
        Assert.Equal("", await fleet.LookUpAsync("future"));
        Assert.Empty(await fleet.ContainersAsync("beech", "future"));
        await fleet.EmptyAsync();
    }
}
