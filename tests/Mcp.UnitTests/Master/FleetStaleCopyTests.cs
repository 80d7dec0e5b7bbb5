using Grpc.Core;
using Mcp.Daemon.Operations;
using Mcp.Master.Deploy;
using Mcp.Master.Deploy.Steps;
using Mcp.Model.Errors;
using Mcp.Model.Events;
using Mcp.Model.Names;
using Mcp.Protocol.V1;

namespace Mcp.UnitTests.Master;

/// <summary>Old copies that are still to be removed somewhere are never taken for what is wanted there, and never forgotten.</summary>
public sealed class FleetStaleCopyTests : FaultyFleet
{
    private static readonly Label s_alder = Label.Parse("alder");
    private static readonly Label s_beech = Label.Parse("beech");
    private static readonly Label s_blog = Label.Parse("blog");

    [Theory]
    [InlineData("resume")]
    [InlineData("undeploy")]
    public async Task The_old_copy_that_only_an_older_masters_journal_names_is_removed(string next)
    {
        var directory = Fresh();
        using (var before = World(directory))
        {
            await before.DeployAsync(MasterWorld.File("blog"), "beech");
            var state = MasterWorld.Deployment(MasterWorld.File("blog")) with { MoveTo = s_beech, Node = s_beech, From = s_alder };
            before.Store.Operations.Save(new JournalEntry(
                Guid.NewGuid(),
                FleetDeployer.Kind,
                "blog",
                5,
                false,
                FleetDeployment.Write(state)));
        }

        Agents["alder"].Services["blog"] = MasterWorld.Revision(MasterWorld.File("blog"));
        using var world = World(directory);
        if (next == "undeploy")
        {
            Assert.Empty(await world.Node.Undeployer.UndeployAsync(s_blog, default));
            NothingIsLeft(world);
            return;
        }

        await world.RecoverAsync();
        ServesAt(world, "blog", "beech", "v1");
    }

    [Theory]
    [InlineData("deploy")]
    [InlineData("drain")]
    public async Task What_was_undeployed_is_not_put_back_by_a_deploy_that_did_not_reach_its_node(string next)
    {
        using var world = await UndeployedAsync();
        Silent("beech", "deploy");
        await Assert.ThrowsAsync<StepFailedException>(() => world.DeployAsync(MasterWorld.File("blog", "v9"), "beech"));
        Mend();
        await world.RecoverAsync();
        Assert.Equal((null, s_beech), (world.Home("blog"), world.Store.Placements.Find(s_blog)!.Target));
        Assert.DoesNotContain(world.Store.Events.After(0, 100), e => e.Kind == EventKind.DeployAccepted);
        if (next == "deploy")
            await world.DeployAsync(MasterWorld.File("blog", "v9"));
        else
            await world.Node.Drainer.DrainAsync(s_beech, "ops", (_, _, _) => { }, default);
        await world.RecoverAsync();
        ServesAt(world, "blog", next == "deploy" ? "beech" : "alder", "v9");
    }

    [Theory]
    [InlineData(StatusCode.FailedPrecondition)]
    [InlineData(StatusCode.PermissionDenied)]
    [InlineData(StatusCode.NotFound)]
    [InlineData(StatusCode.Internal)]
    public async Task A_status_without_a_code_is_no_answer_of_an_agent_and_keeps_the_placement(StatusCode status)
    {
        using var world = World(Fresh());
        foreach (var agent in Agents.All)
            agent.Hook = (what, _) => what == "deploy" ? throw new RpcException(new Status(status, "no")) : Task.CompletedTask;
        await Assert.ThrowsAsync<StepFailedException>(() => world.DeployAsync(MasterWorld.File("blog")));
        Assert.NotNull(world.Store.Placements.Find(s_blog)?.Target);
        Mend();
        await world.DeployAsync(MasterWorld.File("blog"));
    }

    [Fact]
    public async Task A_deploy_that_was_accepted_over_an_old_copy_and_whose_answer_was_lost_is_written_down()
    {
        using var world = await UndeployedAsync();
        Silent("beech", "deployed");
        await Assert.ThrowsAsync<StepFailedException>(() => world.DeployAsync(MasterWorld.File("blog", "v9"), "beech"));
        Mend();
        await world.RecoverAsync();
        await world.Node.Dns!.MendAsync(default);
        Assert.Equal(
            ("beech", MasterWorld.Revision(MasterWorld.File("blog", "v9"))),
            (world.Home("blog"), Agents["beech"].Services["blog"]));
        Assert.Empty(world.Store.Leftovers.List());
    }

    [Fact]
    public async Task One_component_alone_does_not_bring_back_the_others_of_what_was_undeployed()
    {
        using var world = await UndeployedAsync();
        var one = MasterWorld.Deployment(MasterWorld.File("blog", "v9")) with { Component = Label.Parse("web"), MoveTo = s_beech };
        var refused = await Assert.ThrowsAsync<StepFailedException>(() => world.Node.Deployer.DeployAsync(one, null, default));
        Assert.Equal(ErrorCode.MoveComponent, refused.Reason.Code);
        Assert.Contains("still to be removed from beech", refused.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("alder", "v0")]
    [InlineData("beech", "v0")]
    [InlineData("alder", "v3")]
    public async Task A_drain_never_takes_an_old_copy_for_the_newest_definition(string drained, string old)
    {
        using var world = World(Fresh());
        await world.DeployAsync(MasterWorld.File("blog", old), "beech");
        Silent("beech", "undeploy");
        await world.DeployAsync(MasterWorld.File("blog", "v3"), "alder");
        Silent("beech", "deploy");
        await Assert.ThrowsAsync<StepFailedException>(() => world.DeployAsync(MasterWorld.File("blog", "v3"), "beech"));
        Assert.Equal(("alder", s_beech), (world.Home("blog"), world.Store.Placements.Find(s_blog)!.Target));
        Mend();
        var deploys = Agents["beech"].Deploys;
        await world.Node.Drainer.DrainAsync(Label.Parse(drained), "ops", (_, _, _) => { }, default);
        await world.RecoverAsync();
        ServesAt(world, "blog", drained == "alder" ? "beech" : "alder", "v3");
        // Nor for one that needs no deploy.
        Assert.Equal(drained == "alder" ? deploys + 1 : deploys, Agents["beech"].Deploys);
    }

    [Fact]
    public async Task A_forced_deploy_whose_master_was_killed_before_the_agent_heard_of_it_is_forced_all_the_same()
    {
        var directory = Fresh();
        var killed = World(directory);
        await killed.DeployAsync(MasterWorld.File("blog"), "alder");
        var heard = new TaskCompletionSource();
        Agents["alder"].Hook = (what, _) =>
        {
            if (what != "deploy")
                return Task.CompletedTask;
            heard.TrySetResult();
            return new TaskCompletionSource().Task;
        };
        _ = killed.Node.Deployer.DeployAsync(MasterWorld.Deployment(MasterWorld.File("blog")) with { Force = true }, null, default);
        await heard.Task.WaitAsync(TimeSpan.FromMinutes(1), TestContext.Current.CancellationToken);
        Mend();
        using var world = World(directory);
        await world.RecoverAsync();
        Assert.Equal(2, Agents["alder"].Deploys);
        ServesAt(world, "blog", "alder", "v1");
    }

    [Theory]
    [InlineData(StatusCode.NotFound, "component.unknown")]
    [InlineData(StatusCode.ResourceExhausted, "storage.full")]
    [InlineData(StatusCode.Internal, "internal")]
    public async Task Any_answer_of_an_agent_that_has_nothing_of_it_releases_the_placement(StatusCode status, string code)
    {
        using var world = World(Fresh());
        foreach (var agent in Agents.All)
        {
            agent.Hook = (what, _) => what == "deploy"
                ? throw new RpcException(new Status(status, "no"), new Metadata { { "mcp-code", code } })
                : Task.CompletedTask;
        }

        Assert.Equal(
            ErrorCode.Of(code),
            (await Assert.ThrowsAsync<StepFailedException>(() => world.DeployAsync(MasterWorld.File("blog")))).Reason.Code);
        Assert.Null(world.Store.Placements.Find(s_blog));
        Assert.Null(Record.Exception(() => world.Node.Deployer.Check(Mcp.Model.Definition.ServiceFile.Parse(
            MasterWorld.File("shop").Replace("shop.example.com", "blog.example.com", StringComparison.Ordinal), "test"))));
        Agents["alder"].Hook = (_, _) => Task.CompletedTask;
        await world.DeployAsync(MasterWorld.File("blog"), "alder");
        await Assert.ThrowsAsync<StepFailedException>(() => world.DeployAsync(MasterWorld.File("blog"), "beech"));
        Assert.Equal((s_alder, null), (world.Store.Placements.Find(s_blog)!.Node, world.Store.Placements.Find(s_blog)!.Target));
    }

    [Fact]
    public async Task What_was_undeployed_is_adopted_only_by_its_name()
    {
        using var world = await UndeployedAsync();
        Mend();
        Agents["beech"].Services["shop"] = MasterWorld.Revision(MasterWorld.File("shop"));
        var reply = new OperationReply();
        await world.Node.Adopter.AdoptAsync(null, reply, default);
        Assert.Contains("blog: it is to be removed from beech", Assert.Single(reply.Failed), StringComparison.Ordinal);
        Assert.Equal(["shop"], world.Store.Placements.List().Select(p => p.Service.Text));
        await world.Node.Adopter.AdoptAsync(s_blog, reply, default);
        await world.RecoverAsync();
        Assert.Equal("beech", world.Home("blog"));
        Assert.Contains("blog", Agents["beech"].Services.Keys);
    }

    [Fact]
    public async Task Of_two_nodes_that_have_a_service_the_one_it_is_to_be_removed_from_is_not_adopted()
    {
        using var world = await UndeployedAsync();
        Mend();
        Agents["alder"].Services["blog"] = MasterWorld.Revision(MasterWorld.File("blog", "v5"));
        var reply = new OperationReply();
        await world.Node.Adopter.AdoptAsync(null, reply, default);
        Assert.Empty(reply.Failed);
        Assert.Equal("alder", world.Home("blog"));
        await world.Node.Undeployer.SweepAsync(default);
        Assert.Equal(["alder"], Agents.All.Where(a => a.Services.ContainsKey("blog")).Select(a => a.Name));
    }

    // It still runs on beech, whose agent did not answer.
    private async Task<MasterWorld> UndeployedAsync()
    {
        var world = World(Fresh());
        await world.DeployAsync(MasterWorld.File("blog", "v0"), "beech");
        Silent("beech", "undeploy");
        Assert.Single(await world.Node.Undeployer.UndeployAsync(s_blog, default));
        Assert.Equal((AgentStep.StepName, "beech"), (world.Store.Leftovers.List()[0].Step, world.Store.Leftovers.List()[0].Node));
        return world;
    }

    private void Silent(string node, string when) =>
        Agents[node].Hook = (what, _) => what == when
            ? throw new RpcException(new Status(StatusCode.Unavailable, "cut"))
            : Task.CompletedTask;
}
