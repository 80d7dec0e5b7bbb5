using Grpc.Core;
using Mcp.Daemon.Operations;
using Mcp.Model.Errors;
using Mcp.Model.Names;
using Mcp.Protocol.V1;
using Mcp.TestKit.Faults;

namespace Mcp.UnitTests.Master;

/// <summary>Names and edge routes lead to what serves while its node still watches over it, and back where that fails; a deploy that an
/// agent was ended in the middle of ends as the agent ends it; one under way is taken back.</summary>
public sealed class FleetWatchTests : FaultyFleet
{
    private static readonly Label s_blog = Label.Parse("blog");

    [Fact]
    public async Task A_first_deploy_has_its_name_and_its_route_while_it_is_watched()
    {
        using var world = Watching();
        var seen = "";
        Agents["alder"].Hook = async (what, ct) =>
        {
            if (what == "watch")
                seen = await ServedAsync(ct);
        };
        var serving = new List<string>();
        await world.DeployAsync(MasterWorld.File("blog"), "alder", (step, mark, _) =>
        {
            if (mark == StepMark.Serving)
                serving.Add(step);
        });
        Assert.Equal("blog.example.com at alder", seen);
        Assert.Equal(["deploy"], serving);
    }

    [Fact]
    public async Task A_first_deploy_that_fails_while_it_is_watched_leaves_neither_name_nor_route()
    {
        using var world = Watching();
        FailWatched("alder");
        var failed = await Assert.ThrowsAsync<StepFailedException>(() => world.DeployAsync(MasterWorld.File("blog"), "alder"));
        Assert.Equal(ErrorCode.HealthFailed, failed.Reason.Code);
        Assert.Empty(Names.Records);
        Assert.Empty(Names.Routes);
        Assert.Null(world.Store.Placements.Find(s_blog));
    }

    [Fact]
    public async Task A_move_that_fails_while_it_is_watched_leads_back_to_where_it_was()
    {
        using var world = Watching();
        await world.DeployAsync(MasterWorld.File("blog"), "alder");
        var before = Names.Records.ToDictionary();
        FailWatched("beech");
        await Assert.ThrowsAsync<StepFailedException>(() => world.DeployAsync(MasterWorld.File("blog", "v2"), "beech"));
        Assert.Equal(before, Names.Records.ToDictionary());
        Assert.Equal("alder", Names.Nodes["blog"]);
        Assert.Equal("alder", world.Home("blog"));
        Assert.True(Agents["alder"].Services.ContainsKey("blog"));
        Assert.Empty(Agents["beech"].Services);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task An_agent_that_was_ended_in_the_middle_ends_the_deploy_when_it_is_back(bool well)
    {
        using var world = Watching();
        await world.DeployAsync(MasterWorld.File("blog"), "alder");
        var before = Agents["alder"].Services["blog"];
        Agents["alder"].Hook = (what, _) =>
        {
            if (what != "watch")
                return Task.CompletedTask;
            if (!well)
                Agents["alder"].Services["blog"] = before;
            throw new RpcException(new Status(StatusCode.Unavailable, "ended"));
        };
        var deploy = world.DeployAsync(MasterWorld.File("blog", "v2"), "alder");
        if (well)
            await deploy;
        else
            await Assert.ThrowsAsync<StepFailedException>(() => deploy);
        var there = world.Store.Placements.Find(s_blog)!;
        Assert.Equal(("alder", null), (there.Node?.Text, there.Target?.Text));
        Assert.Equal(well ? "v2" : "v1", there.TryRead()!.Components[0].Image.Text[^2..]);
    }

    [Fact]
    public async Task One_that_is_at_its_node_is_taken_back_there()
    {
        using var world = Watching();
        await world.DeployAsync(MasterWorld.File("blog"), "alder");
        var watched = new TaskCompletionSource();
        Agents["alder"].Hook = (what, ct) =>
        {
            if (what != "watch")
                return Task.CompletedTask;
            watched.SetResult();
            return Task.Delay(Timeout.Infinite, ct);
        };
        using var work = new Work(Work.Deploy, "ann");
        var deploy = Begin(world, "v2", work);
        await watched.Task;
        var told = await world.Node.Cancellation.CancelAsync(s_blog, "bob", TestContext.Current.CancellationToken);
        Assert.Equal("cancelled the deploy of blog by ann", Assert.Single(told.Done));
        var failed = await Assert.ThrowsAsync<StepFailedException>(() => deploy);
        Assert.Equal("node alder: cancelled by bob", failed.Reason.Message);
        Assert.Equal("v1", world.Store.Placements.Find(s_blog)!.TryRead()!.Components[0].Image.Text[^2..]);
    }

    [Fact]
    public async Task What_has_its_names_already_is_not_taken_back()
    {
        using var world = Watching();
        await world.DeployAsync(MasterWorld.File("blog"), "alder");
        var (atEdge, goOn) = (new TaskCompletionSource(), new TaskCompletionSource());
        var times = 0;
        Names.Hook = what =>
        {
            // The first time is while it is watched.
            if (what != "route" || ++times != 2)
                return Task.CompletedTask;
            atEdge.SetResult();
            return goOn.Task;
        };
        using var work = new Work(Work.Deploy, "ann");
        var deploy = Begin(world, "v2", work);
        await atEdge.Task;
        var cancel = world.Node.Cancellation.CancelAsync(s_blog, "bob", TestContext.Current.CancellationToken);
        goOn.SetResult();
        Assert.Equal(ErrorCode.OperationLate, (await Assert.ThrowsAsync<McpException>(() => cancel)).Code);
        await deploy;
        Assert.Equal(
            ErrorCode.OperationNone,
            (await Assert.ThrowsAsync<McpException>(() => world.Node.Cancellation.CancelAsync(s_blog, "bob", default))).Code);
    }

    [Theory]
    [InlineData(Fault.Kill)]
    [InlineData(Fault.Fail)]
    public Task Whatever_fails_or_kills_the_master_at_any_side_effect_it_serves_in_the_end(Fault fault) =>
        FaultMatrix.RunAsync(fault, atLeast: 10, async point =>
        {
            var directory = Fresh();
            var before = World(directory, waits: fault == Fault.Kill);
            Watch();
            Break(point.Hook);
            var broke = await point.BreaksAsync(() => before.DeployAsync(MasterWorld.File("blog"), "alder"));
            Mend();
            if (!broke || fault == Fault.Fail)
                before.Dispose();
            if (!broke)
                return;
            using var after = World(directory);
            await after.RecoverAsync();
            if (fault == Fault.Fail)
                await after.DeployAsync(MasterWorld.File("blog"), "alder");
            ServesAt(after, "blog", "alder", "v1");
        });

    private MasterWorld Watching()
    {
        var world = World(Fresh());
        Watch();
        return world;
    }

    private void Watch()
    {
        foreach (var agent in Agents.All)
            agent.Watches = true;
    }

    private static Task<StepEvent> Begin(MasterWorld world, string tag, Work work) => work.RunAsync(async () =>
    {
        await world.Node.Deployer.CarryOutAsync(MasterWorld.Deployment(MasterWorld.File("blog", tag)), work, default);
        return new StepEvent();
    });

    private void FailWatched(string node) => Agents[node].Hook = async (what, ct) =>
    {
        if (what != "watch")
            return;
        await ServedAsync(ct);
        throw new McpException(ErrorCode.HealthFailed, "blog.web.1 ended with exit code 1 2.0 s after it took over");
    };

    // The master opens the ways in while the agent goes on.
    private async Task<string> ServedAsync(CancellationToken ct)
    {
        while (Names.Routes.IsEmpty || Names.Records.IsEmpty)
            await Task.Delay(10, ct);
        return $"{Names.Routes.Keys.Single()} at {Names.Nodes["blog"]}";
    }
}
