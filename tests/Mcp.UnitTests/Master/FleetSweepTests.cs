using Google.Protobuf.WellKnownTypes;
using Mcp.Master.Deploy.Steps;
using Mcp.Master.Fleet;
using Mcp.Master.Store;
using Mcp.Model.Definition;
using Mcp.Model.Names;
using Mcp.Model.Placement;
using Mcp.Protocol.V1;

namespace Mcp.UnitTests.Master;

/// <summary>One node that hangs, lies or is away, and what that means for the others.</summary>
public sealed class FleetSweepTests : FaultyFleet
{
    private static readonly Label s_blog = Label.Parse("blog");

    public static TheoryData<long, int> NoTimes => new()
    {
        { long.MinValue, 0 }, { long.MaxValue, 0 }, { 253_402_300_800, 0 }, { -62_135_596_801, 0 }, { 0, -1 }, { 0, 1_000_000_000 },
    };

    [Fact]
    public async Task A_node_that_hangs_keeps_what_is_left_on_others_no_longer()
    {
        using var world = World(Fresh());
        using var end = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        var hangs = new TaskCompletionSource();
        Agents["alder"].Hook = (what, ct) =>
        {
            hangs.TrySetResult();
            return Task.Delay(Timeout.Infinite, ct);
        };
        Left(world, "blog", "alder");
        await world.Node.Undeployer.BeginSweepsAsync(end.Token).WaitAsync(TimeSpan.FromSeconds(10), end.Token);
        await hangs.Task.WaitAsync(TimeSpan.FromMinutes(1), end.Token);
        foreach (var service in (string[])["shop", "wiki"])
        {
            Left(world, service, "beech");
            // Forgotten is it only after the agent has removed it.
            while (world.Store.Leftovers.List().Any(l => $"{l.Service}" == service))
            {
                await world.Node.Undeployer.BeginSweepsAsync(end.Token).WaitAsync(TimeSpan.FromSeconds(10), end.Token);
                await Task.Delay(10, end.Token);
            }
        }

        Assert.Equal("alder", Assert.Single(world.Store.Leftovers.List()).Node);
        Assert.Empty(Agents["beech"].Services);
        await end.CancelAsync();
        await world.Node.Undeployer.EndSweepsAsync();
    }

    [Fact]
    public async Task A_round_waits_for_a_hanging_agent_for_15_seconds_and_gives_the_service_free()
    {
        // The clock of this master is late: of each limit, 13 s are over already.
        var time = new Late { By = TimeSpan.FromSeconds(13) };
        using var world = new MasterWorld(Fresh(), Agents, Names, time);
        Agents["alder"].Hook = (what, ct) => what == "undeploy" ? Task.Delay(Timeout.Infinite, ct) : Task.CompletedTask;
        Left(world, "blog", "alder");
        await world.Node.Undeployer.BeginSweepsAsync(default).WaitAsync(TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken);
        await world.Node.Undeployer.EndSweepsAsync().WaitAsync(TimeSpan.FromSeconds(60), TestContext.Current.CancellationToken);
        Assert.Contains("does not answer in time", Assert.Single(world.Store.Leftovers.List()).Error, StringComparison.Ordinal);
        time.By = TimeSpan.Zero;
        await world.DeployAsync(MasterWorld.File("blog"), "beech");
        Mend();
        await world.Node.Undeployer.SweepAsync(default);
        ServesAt(world, "blog", "beech", "v1");
    }

    [Theory]
    [MemberData(nameof(NoTimes))]
    public void An_event_whose_time_is_none_has_the_time_at_which_it_was_heard(long seconds, int nanos)
    {
        using var world = World(Fresh());
        var (now, node) = (TimeProvider.System.GetUtcNow(), world.Store.Nodes.Find(Label.Parse("alder"))!);
        foreach (var time in (Timestamp?[])[new Timestamp { Seconds = seconds, Nanos = nanos }, null])
        {
            var told = FleetEvents.Marked(new Event { Id = 7, Time = time }, node, now);
            Assert.Equal((now, "alder", 7), (told.Time.ToDateTimeOffset(), told.Node, told.Id));
        }

        foreach (var well in (Timestamp[])[new() { Seconds = -62_135_596_800 }, new() { Seconds = 253_402_300_799, Nanos = 999_999_999 }])
            Assert.Equal(well.ToDateTimeOffset(), FleetEvents.Marked(new Event { Time = well.Clone() }, node, now).Time.ToDateTimeOffset());
    }

    [Fact]
    public void A_drain_of_where_a_service_was_going_waits_for_where_it_is()
    {
        var there = new Mcp.Master.Store.Placement(
            s_blog,
            Label.Parse("alder"),
            Label.Parse("beech"),
            MasterWorld.Revision(MasterWorld.File("blog")));
        var state = MasterWorld.Deployment(MasterWorld.File("blog")) with { Leave = true, IfChanged = true, Away = Label.Parse("beech") };
        var silent = PlaceStep.Decide(state, there, [Node("alder", reachable: false), Node("beech"), Node("cedar")], null);
        Assert.Null(silent.Node);
        Assert.Contains("it is still on alder, which cannot be reached", silent.Why, StringComparison.Ordinal);
        Assert.Equal("alder", PlaceStep.Decide(state, there, [Node("alder"), Node("beech"), Node("cedar")], null).Node?.Text);
        // What leaves a silent node itself goes on; and what is nowhere yet may go anywhere.
        Assert.Equal(
            "beech",
            PlaceStep.Decide(
                state with { Away = Label.Parse("alder") },
                there,
                [Node("alder", reachable: false), Node("beech"), Node("cedar")],
                null).Node?.Text);
        Assert.Equal(
            "cedar",
            PlaceStep.Decide(
                state,
                there with { Node = null },
                [Node("alder", reachable: false), Node("beech"), Node("cedar")],
                null).Node?.Text);
    }

    private static Candidate Node(string name, bool reachable = true) =>
        new(
            Label.Parse(name),
            new HashSet<Tier> { Tier.Worker },
            reachable,
            false,
            "amd64",
            new HashSet<RuntimeKind> { RuntimeKind.Container },
            4096,
            0);

    private void Left(MasterWorld world, string service, string node)
    {
        Agents[node].Services[service] = MasterWorld.Revision(MasterWorld.File(service));
        world.Store.Leftovers.Add(Leftover.Copy(AgentStep.StepName, Label.Parse(service), Label.Parse(node), "cut"));
    }

    private sealed class Late : TimeProvider
    {
        public TimeSpan By { get; set; }

        public override DateTimeOffset GetUtcNow() => System.GetUtcNow() - By;
    }
}
