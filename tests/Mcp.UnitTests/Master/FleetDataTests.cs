using Grpc.Core;
using Mcp.Daemon.Operations;
using Mcp.Model.Errors;
using Mcp.Model.Names;

namespace Mcp.UnitTests.Master;

/// <summary>No service leaves its data behind unless somebody said that it may.</summary>
public sealed class FleetDataTests : FaultyFleet
{
    private static readonly Label s_blog = Label.Parse("blog");

    [Theory]
    [InlineData("/srv/c/pg:/data")]
    [InlineData("/srv/c/pg:/data:shared")]
    [InlineData("pg:/data")]
    public async Task A_service_with_a_writable_volume_is_moved_only_when_its_data_may_stay_behind(string volume)
    {
        using var world = World(Fresh());
        await world.DeployAsync(File("blog", volume));
        var refused = await Assert.ThrowsAsync<StepFailedException>(() => world.DeployAsync(File("blog", volume, "v2"), "beech"));
        Assert.Equal(("place", ErrorCode.MoveData), (refused.Step, refused.Reason.Code));
        Assert.Equal($"blog would leave data behind: web {(volume[0] == '/' ? "/srv/c/pg" : "pg")} on alder", refused.Message);
        Assert.Contains("--leave-data", refused.Reason.Hint, StringComparison.Ordinal);
        Assert.Equal(("alder", null), (world.Home("blog"), world.Store.Placements.Find(s_blog)!.Target));
        Assert.Empty(Agents["beech"].Services);

        // In place it is deployed as ever.
        await world.DeployAsync(File("blog", volume, "v2"));
        var move = MasterWorld.Deployment(File("blog", volume, "v3")) with { MoveTo = Label.Parse("beech"), LeaveData = true };
        await world.Node.Deployer.DeployAsync(move, null, default);
        Assert.Equal("beech", world.Home("blog"));
        Assert.Empty(Agents["alder"].Services);
    }

    [Fact]
    public async Task What_runs_counts_and_not_what_the_new_file_says()
    {
        using var world = World(Fresh());
        await world.DeployAsync(File("blog", "/srv/c/pg:/data"));
        Assert.Equal(
            ErrorCode.MoveData,
            (await Assert.ThrowsAsync<StepFailedException>(() => world.DeployAsync(MasterWorld.File("blog"), "beech"))).Reason.Code);
        await world.DeployAsync(MasterWorld.File("blog"));
        await world.DeployAsync(MasterWorld.File("blog"), "beech");
        Assert.Equal("beech", world.Home("blog"));
    }

    [Fact]
    public async Task A_file_that_names_another_node_moves_no_data_either()
    {
        using var world = World(Fresh());
        await world.DeployAsync(File("blog", "/srv/c/pg:/data"));
        Assert.Equal(
            ErrorCode.MoveData,
            (await Assert.ThrowsAsync<StepFailedException>(() => world.DeployAsync(
                "node = \"beech\"\n" + File("blog", "/srv/c/pg:/data")))).Reason.Code);
        Assert.Equal("alder", world.Home("blog"));
    }

    [Fact]
    public async Task One_component_does_not_move_without_the_others()
    {
        using var world = World(Fresh());
        await world.DeployAsync(MasterWorld.File("blog"));
        var alone = MasterWorld.Deployment(MasterWorld.File("blog", "v2")) with
        {
            Component = Label.Parse("web"),
            MoveTo = Label.Parse("beech"),
            LeaveData = true,
        };
        var refused = await Assert.ThrowsAsync<StepFailedException>(() => world.Node.Deployer.DeployAsync(alone, null, default));
        Assert.Equal(("place", ErrorCode.MoveComponent), (refused.Step, refused.Reason.Code));
        Assert.Equal(["blog"], Agents["alder"].Services.Keys);
        Assert.Empty(Agents["beech"].Services);
    }

    [Fact]
    public async Task A_volume_that_is_only_read_stays_nobodys_data()
    {
        using var world = World(Fresh());
        await world.DeployAsync(File("blog", "/srv/www:/www:ro"));
        await world.DeployAsync(File("blog", "/srv/www:/www:ro"), "beech");
        Assert.Equal("beech", world.Home("blog"));
    }

    [Fact]
    public async Task A_drain_moves_the_others_and_names_those_whose_data_stays()
    {
        using var world = World(Fresh());
        await world.DeployAsync(File("blog", "/srv/c/pg:/data"), "alder");
        await world.DeployAsync(MasterWorld.File("shop"), "alder");
        var stay = await Assert.ThrowsAsync<McpException>(() => world.Node.Drainer.DrainAsync(
            Label.Parse("alder"),
            "ops",
            (_, _, _) => { },
            default));
        Assert.Equal(ErrorCode.DrainPartial, stay.Code);
        Assert.Contains("web /srv/c/pg on alder", stay.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("shop", stay.Message, StringComparison.Ordinal);
        Assert.Contains("--leave-data", stay.Hint, StringComparison.Ordinal);
        Assert.Equal(("alder", "beech"), (world.Home("blog"), world.Home("shop")));
        Assert.Equal(["blog"], Agents["alder"].Services.Keys);

        await world.Node.Drainer.DrainAsync(Label.Parse("alder"), "ops", (_, _, _) => { }, default, leaveData: true);
        Assert.Equal("beech", world.Home("blog"));
        Assert.Empty(Agents["alder"].Services);
    }

    [Fact]
    public async Task Data_that_only_the_agent_knows_of_counts()
    {
        using var world = World(Fresh());
        await world.DeployAsync(MasterWorld.File("blog"));
        Agents["alder"].Hook = (what, _) => what == "deployed"
            ? throw new RpcException(new Status(StatusCode.Unavailable, "cut"))
            : Task.CompletedTask;
        await Assert.ThrowsAsync<StepFailedException>(() => world.DeployAsync(File("blog", "/srv/c/pg:/data", "v2")));
        Mend();
        Assert.Equal(
            ErrorCode.MoveData,
            (await Assert.ThrowsAsync<StepFailedException>(() => world.DeployAsync(MasterWorld.File("blog"), "beech"))).Reason.Code);
        await Assert.ThrowsAsync<McpException>(() => world.Node.Drainer.DrainAsync(Label.Parse("alder"), "ops", (_, _, _) => { }, default));
        Assert.Equal(["blog"], Agents["alder"].Services.Keys);
        Assert.Empty(Agents["beech"].Services);

        // It is written down by itself, too.
        await world.Node.Pending.LookAsync(default);
        Assert.Contains("/srv/c/pg", world.Store.Placements.Find(s_blog)!.Revision.Body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Where_nobody_can_say_what_runs_the_new_file_counts_as_well()
    {
        using var world = World(Fresh());
        await world.DeployAsync(MasterWorld.File("blog"));
        Agents["alder"].Hook = (_, _) => throw new RpcException(new Status(StatusCode.Unavailable, "cut"));
        await Assert.ThrowsAsync<StepFailedException>(() => world.DeployAsync(File("blog", "/srv/c/pg:/data")));
        Assert.Equal(
            ErrorCode.MoveData,
            (await Assert.ThrowsAsync<StepFailedException>(() => world.DeployAsync(File("blog", "/srv/c/pg:/data"), "beech"))).Reason.Code);
    }

    private static string File(string name, string volume, string tag = "v1") =>
        MasterWorld.File(name, tag).Replace("image =", $"volumes = [\"{volume}\"]\nimage =", StringComparison.Ordinal);
}
