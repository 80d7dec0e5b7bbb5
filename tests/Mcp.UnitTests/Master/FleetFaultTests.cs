using Grpc.Core;
using Mcp.Daemon.Identity;
using Mcp.Daemon.Operations;
using Mcp.Model.Errors;
using Mcp.Model.Names;
using Mcp.Model.Revisions;
using Mcp.TestKit.Faults;

namespace Mcp.UnitTests.Master;

/// <summary>The fault matrix of a fleet: deploys, moves and undeploys, broken and killed before and after every single side
/// effect.</summary>
public sealed class FleetFaultTests : FaultyFleet
{
    [Fact]
    public Task A_master_killed_at_any_side_effect_of_a_deploy_finishes_it_and_doubles_nothing() =>
        FaultMatrix.RunAsync(Fault.Kill, atLeast: 8, async point =>
        {
            var directory = Fresh();
            var before = World(directory, waits: true);
            Break(point.Hook);
            if (!await point.BreaksAsync(() => before.DeployAsync(MasterWorld.File("blog"))))
                return;
            Mend();
            using var after = World(directory);
            await after.RecoverAsync();
            ServesAt(after, "blog", "alder", "v1");
            Assert.Equal(1, Agents["alder"].Deploys);
        });

    [Fact]
    public Task A_master_killed_at_any_side_effect_of_a_move_leaves_the_service_at_the_new_node_alone() =>
        FaultMatrix.RunAsync(Fault.Kill, atLeast: 10, async point =>
        {
            var directory = Fresh();
            var before = World(directory, waits: true);
            await before.DeployAsync(MasterWorld.File("blog"));
            Break(point.Hook);
            if (!await point.BreaksAsync(() => before.DeployAsync(MasterWorld.File("blog"), "beech")))
                return;
            Mend();
            using var after = World(directory);
            await after.RecoverAsync();
            ServesAt(after, "blog", "beech", "v1");
        });

    [Fact]
    public Task A_master_killed_at_any_side_effect_of_an_undeploy_finishes_it() =>
        FaultMatrix.RunAsync(Fault.Kill, atLeast: 6, async point =>
        {
            var directory = Fresh();
            var before = World(directory, waits: true);
            await before.DeployAsync(MasterWorld.File("blog"));
            Break(point.Hook);
            if (!await point.BreaksAsync(() => before.Node.Undeployer.UndeployAsync(Label.Parse("blog"), default)))
                return;
            Mend();
            using var after = World(directory);
            await after.RecoverAsync();
            NothingIsLeft(after);
        });

    [Fact]
    public Task A_deploy_that_fails_at_any_side_effect_goes_on_when_it_is_asked_for_again() =>
        FaultMatrix.RunAsync(Fault.Fail, atLeast: 8, async point =>
        {
            using var world = World(Fresh());
            Break(point.Hook);
            if (!await point.BreaksAsync(() => world.DeployAsync(MasterWorld.File("blog"))))
                return;
            Mend();
            var failed = Assert.IsType<StepFailedException>(point.Failure);
            Assert.Empty(world.Store.Operations.Open());
            Assert.Contains("kept", failed.Aftermath, StringComparison.Ordinal);
            await world.DeployAsync(MasterWorld.File("blog"));
            ServesAt(world, "blog", "alder", "v1");
        });

    [Fact]
    public Task An_undeploy_that_fails_at_any_side_effect_tells_it_does_the_rest_and_finishes_by_itself() =>
        FaultMatrix.RunAsync(Fault.Fail, atLeast: 6, async point =>
        {
            using var world = World(Fresh());
            await world.DeployAsync(MasterWorld.File("blog"));
            IReadOnlyList<string> told = [];
            Break(point.Hook);
            if (!await point.BreaksAsync(async () => told = await world.Node.Undeployer.UndeployAsync(Label.Parse("blog"), default)))
                return;
            Mend();
            Assert.Null(point.Failure);
            Assert.Single(told);
            Assert.Single(world.Store.Leftovers.List());
            Assert.Null(world.Home("blog"));
            await world.Node.Undeployer.SweepAsync(default);
            NothingIsLeft(world);
        });

    [Fact]
    public Task A_move_that_fails_at_any_side_effect_leaves_the_service_serving_somewhere_and_can_be_repeated() =>
        FaultMatrix.RunAsync(Fault.Fail, atLeast: 10, async point =>
        {
            using var world = World(Fresh());
            await world.DeployAsync(MasterWorld.File("blog"));
            Break(point.Hook);
            if (!await point.BreaksAsync(() => world.DeployAsync(MasterWorld.File("blog"), "beech")))
                return;
            Mend();
            Assert.Contains("blog", Agents[world.Home("blog")!].Services.Keys);
            if (point.Failure is not null)
                await world.DeployAsync(MasterWorld.File("blog"), "beech");
            await world.Node.Undeployer.SweepAsync(default);
            ServesAt(world, "blog", "beech", "v1");
        });

    [Fact]
    public async Task An_agent_that_says_no_releases_the_placement_and_one_that_is_silent_keeps_it()
    {
        using var world = World(Fresh());
        Agents["alder"].Hook = (what, _) => what == "deploy"
            ? throw new McpException(ErrorCode.StepFailed, "step health failed and was undone")
            : Task.CompletedTask;
        var no = await Assert.ThrowsAsync<StepFailedException>(() => world.DeployAsync(MasterWorld.File("blog")));
        Assert.Equal("deploy", no.Step);
        Assert.Contains("node alder: step health failed", no.Message, StringComparison.Ordinal);
        Assert.Null(world.Store.Placements.Find(Label.Parse("blog")));

        Agents["alder"].Hook = (what, _) => what == "deployed"
            ? throw new RpcException(new Status(StatusCode.Unavailable, "gone"))
            : Task.CompletedTask;
        var silent = await Assert.ThrowsAsync<StepFailedException>(() => world.DeployAsync(MasterWorld.File("blog")));
        Assert.Equal(ErrorCode.NodeUnreachable, silent.Reason.Code);
        Assert.Equal("alder", world.Store.Placements.Find(Label.Parse("blog"))?.Target?.Text);
        Mend();
        await world.DeployAsync(MasterWorld.File("blog"));
        ServesAt(world, "blog", "alder", "v1");
    }

    [Theory]
    [InlineData("")]
    [InlineData("\0\0garbage")]
    [InlineData("name = \"other\"\n[[components]]\nname = \"web\"\nimage = \"example.com/hello:v1\"")]
    public async Task An_agent_that_answers_garbage_fails_its_step_and_is_believed_nothing(string lie)
    {
        using var world = World(Fresh());
        Agents["alder"].Lie = Revision.Legacy(lie);
        var e = await Assert.ThrowsAsync<StepFailedException>(() => world.DeployAsync(MasterWorld.File("blog")));
        Assert.Equal(("deploy", ErrorCode.NodeAnswer), (e.Step, e.Reason.Code));
        Assert.Equal("blog", Assert.Single(world.Store.Placements.List()).Service.Text);
        Agents["alder"].Lie = null;
        await world.DeployAsync(MasterWorld.File("blog"));
        ServesAt(world, "blog", "alder", "v1");
    }

    [Fact]
    public async Task Deploys_of_one_service_serialise_and_of_different_services_run_side_by_side()
    {
        using var world = World(Fresh());
        var (inside, most, perService) = (0, 0, 0);
        var both = new TaskCompletionSource();
        foreach (var agent in Agents.All)
        {
            agent.Hook = async (what, _) =>
            {
                if (what != "deploy")
                    return;
                var now = Interlocked.Increment(ref inside);
                most = Math.Max(most, now);
                if (now == 2)
                    both.TrySetResult();
                await both.Task.WaitAsync(TimeSpan.FromSeconds(20), CancellationToken.None);
                Interlocked.Decrement(ref inside);
            };
        }

        await Task.WhenAll(world.DeployAsync(MasterWorld.File("one")), world.DeployAsync(MasterWorld.File("two")));
        Assert.Equal(2, most);
        Assert.NotEqual(world.Home("one"), world.Home("two"));

        foreach (var agent in Agents.All)
        {
            agent.Hook = async (what, _) =>
            {
                if (what == "deploy")
                    Assert.Equal(1, Interlocked.Increment(ref perService));
                await Task.Yield();
                if (what == "deployed")
                    Interlocked.Decrement(ref perService);
            };
        }

        await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => world.DeployAsync(MasterWorld.File("one"))));
        Assert.Equal(0, perService);
    }

    [Fact]
    public async Task Two_services_that_want_one_hostname_at_once_do_not_both_get_it()
    {
        using var world = World(Fresh());
        var files = Enumerable.Range(0, 8)
            .Select(i => MasterWorld.File($"s{i}").Replace($"s{i}.example.com", "shared.example.com", StringComparison.Ordinal));
        var outcomes = await Task.WhenAll(files.Select(f => Record.ExceptionAsync(() => world.DeployAsync(f)).AsTask()));
        Assert.Single(outcomes, o => o is null);
        Assert.All(
            outcomes.OfType<Exception>(),
            e => Assert.Contains("shared.example.com belongs to", e.Message, StringComparison.Ordinal));
        Assert.Single(world.Store.Placements.List());
        Assert.Single(Agents.All.SelectMany(a => a.Services.Keys));
    }

    [Fact]
    public async Task A_service_goes_only_where_its_images_are_for_the_machine_and_nobody_is_asked_where_all_are_alike()
    {
        var directory = Fresh();
        Agents["beech"].Architecture = "arm64";
        try
        {
            using var world = World(directory);
            Agents["alder"].Images["example.com/hello:v1"] = ["arm64"];
            await world.DeployAsync(MasterWorld.File("blog"));
            Assert.Equal("beech", world.Home("blog"));
            Agents["alder"].Images["example.com/hello:v1"] = ["riscv64"];
            var none = await Assert.ThrowsAsync<StepFailedException>(() => world.DeployAsync(MasterWorld.File("shop")));
            Assert.Contains("alder: is amd64, and the images are for riscv64", none.Message, StringComparison.Ordinal);
            Agents["alder"].Images.Clear();
            Assert.Contains(
                "cannot ask for the architectures",
                (await Assert.ThrowsAsync<StepFailedException>(() => world.DeployAsync(MasterWorld.File("shop")))).Message,
                StringComparison.Ordinal);
        }
        finally
        {
            Agents["beech"].Architecture = "amd64";
        }
    }

    [Fact]
    public async Task A_services_certificate_is_given_to_its_own_node_only_and_is_no_nodes_identity()
    {
        using var world = World(Fresh());
        await world.DeployAsync(MasterWorld.File("blog"));
        using var key = System.Security.Cryptography.ECDsa.Create();
        var request = new System.Security.Cryptography.X509Certificates.CertificateRequest(
            "CN=alder, OU=mcp node",
            key,
            System.Security.Cryptography.HashAlgorithmName.SHA256).CreateSigningRequestPem();
        var refused = Assert.Throws<McpException>(() => world.Node.Membership.IssueService(
            new Caller("beech", Role.Node, DateTimeOffset.MaxValue, "key"),
            "blog",
            request));
        Assert.Equal(ErrorCode.CertificateElsewhere, refused.Code);
        using var given = world.Node.Membership.IssueService(
            new Caller("alder", Role.Node, DateTimeOffset.MaxValue, "key"),
            "blog",
            request);
        Assert.Null(PeerName.Of(given));
        Assert.True(given.MatchesHostname("blog.mcp.internal") && given.MatchesHostname("web.blog.mcp.internal"));
        Assert.False(given.MatchesHostname("shop.mcp.internal") || given.MatchesHostname("alder.node.mcp"));
    }

    [Fact]
    public async Task Agents_that_are_slow_cost_a_status_one_deadline_and_are_told()
    {
        using var world = World(Fresh());
        await world.DeployAsync(MasterWorld.File("one"));
        await world.DeployAsync(MasterWorld.File("two"));
        Agents["beech"].Hook = (_, ct) => Task.Delay(Timeout.Infinite, ct);
        var clock = TimeProvider.System.GetTimestamp();
        var status = await world.Node.View.StatusAsync(null, default);
        Assert.InRange(TimeProvider.System.GetElapsedTime(clock), TimeSpan.FromSeconds(1.9), TimeSpan.FromSeconds(10));
        Assert.Equal("beech", Assert.Single(status.Unreachable).Node);
        Assert.Equal([("one", false), ("two", true)], status.Components.Select(c => (c.Service, c.Stale)));
    }
}
