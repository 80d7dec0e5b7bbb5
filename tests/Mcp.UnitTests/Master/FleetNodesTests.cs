using Grpc.Core;
using Mcp.Daemon.Operations;
using Mcp.Master.Deploy;
using Mcp.Master.Store;
using Mcp.Model.Errors;
using Mcp.Model.Names;
using Mcp.Model.Revisions;

namespace Mcp.UnitTests.Master;

/// <summary>Nodes that go while services are half there, and two operators at once.</summary>
public sealed class FleetNodesTests : FaultyFleet
{
    private static readonly Label s_alder = Label.Parse("alder");
    private static readonly Label s_beech = Label.Parse("beech");
    private static readonly Label s_blog = Label.Parse("blog");

    [Fact]
    public async Task A_node_that_a_service_is_leaving_or_has_left_a_copy_on_is_not_removed_unasked()
    {
        using var world = World(Fresh());
        await world.DeployAsync(MasterWorld.File("blog"));
        Silent("beech", "deployed");
        await Assert.ThrowsAsync<StepFailedException>(() => world.DeployAsync(MasterWorld.File("blog"), "beech"));
        Assert.Equal(("alder", "beech"), (world.Home("blog"), world.Store.Placements.Find(s_blog)!.Target?.Text));
        foreach (var node in (Label[])[s_alder, s_beech])
        {
            Assert.Contains(
                "has blog",
                Assert.Throws<McpException>(() => world.Store.RemoveNode(node, force: false)).Message,
                StringComparison.Ordinal);
        }

        Mend();
        Silent("alder", "undeploy");
        await world.DeployAsync(MasterWorld.File("blog"), "beech");
        Assert.Contains(
            "a copy of blog",
            Assert.Throws<McpException>(() => world.Store.RemoveNode(s_alder, force: false)).Message,
            StringComparison.Ordinal);
        Assert.Empty(world.Store.RemoveNode(s_alder, force: true));
        Assert.Equal("beech", world.Home("blog"));
        Assert.Empty(world.Store.Leftovers.List());
    }

    [Fact]
    public async Task Removing_a_node_by_force_forgets_what_is_there_and_keeps_what_is_elsewhere()
    {
        using var world = World(Fresh());
        await world.DeployAsync(MasterWorld.File("blog"));
        await world.DeployAsync(MasterWorld.File("shop"));
        await world.DeployAsync(MasterWorld.File("wiki"), "beech");
        Silent("beech", "deploy");
        await Assert.ThrowsAsync<StepFailedException>(() => world.DeployAsync(MasterWorld.File("blog"), "beech"));
        Assert.Equal(["shop", "wiki"], world.Store.RemoveNode(s_beech, force: true).Select(s => s.Text));
        var left = Assert.Single(world.Store.Placements.List());
        Assert.Equal((s_blog, s_alder, null), (left.Service, left.Node, left.Target));
    }

    [Fact]
    public async Task A_node_that_is_removed_during_a_deploy_gets_no_placement()
    {
        using var world = World(Fresh());
        Agents["alder"].Hook = (what, _) =>
        {
            if (what == "deployed")
                world.Store.RemoveNode(s_alder, force: true);
            return Task.CompletedTask;
        };
        Assert.Equal(
            ErrorCode.NodeUnknown,
            (await Assert.ThrowsAsync<StepFailedException>(() => world.DeployAsync(MasterWorld.File("blog")))).Reason.Code);
        Assert.Empty(world.Store.Placements.List());
    }

    [Fact]
    public async Task A_drain_waits_for_a_deploy_of_another_operator_and_moves_what_that_one_deployed()
    {
        using var world = World(Fresh());
        await world.DeployAsync(MasterWorld.File("blog"));
        var (begun, goOn) = (new TaskCompletionSource(), new TaskCompletionSource());
        Agents["alder"].Hook = async (what, _) =>
        {
            if (what != "deploy")
                return;
            begun.TrySetResult();
            await goOn.Task.WaitAsync(TimeSpan.FromMinutes(1), CancellationToken.None);
        };
        var deploy = world.DeployAsync(MasterWorld.File("blog", "v2"));
        await begun.Task.WaitAsync(TimeSpan.FromMinutes(1), TestContext.Current.CancellationToken);
        var drain = world.Node.Drainer.DrainAsync(s_alder, "ops", (_, _, _) => { }, default);
        goOn.SetResult();
        await Task.WhenAll(deploy, drain);
        ServesAt(world, "blog", "beech", "v2");
    }

    [Fact]
    public async Task A_node_that_is_cordoned_while_a_service_chooses_it_does_not_get_it()
    {
        using var world = World(Fresh());
        world.Store.Nodes.Cordon(s_alder, true);
        var service = Mcp.Model.Definition.ServiceFile.Parse(MasterWorld.File("blog"), "test");
        Assert.Equal(
            ErrorCode.NodeCordoned,
            Assert.Throws<McpException>(() => world.Store.Placements.Reserve(service, s_alder, Revision.Of(service))).Code);
        await world.DeployAsync(MasterWorld.File("blog"));
        Assert.Equal("beech", world.Home("blog"));
    }

    [Fact]
    public async Task What_an_undeploy_left_on_two_nodes_takes_nothing_from_a_service_deployed_anew()
    {
        using var world = World(Fresh());
        await world.DeployAsync(MasterWorld.File("blog"));
        Silent("beech", "deployed");
        await Assert.ThrowsAsync<StepFailedException>(() => world.DeployAsync(MasterWorld.File("blog"), "beech"));
        Silent("alder", "undeploy");
        Silent("beech", "undeploy");
        Assert.Contains("deploy: ", Assert.Single(await world.Node.Undeployer.UndeployAsync(s_blog, default)), StringComparison.Ordinal);
        Assert.Equal(["alder", "beech"], world.Store.Leftovers.List().Select(l => l.Node).Order(StringComparer.Ordinal));
        Mend();
        await world.DeployAsync(MasterWorld.File("blog"), "alder");
        await world.Node.Undeployer.SweepAsync(default);
        ServesAt(world, "blog", "alder", "v1");
    }

    [Fact]
    public async Task A_leftover_of_an_older_version_that_names_two_nodes_removes_only_what_is_not_wanted()
    {
        using var world = World(Fresh());
        await world.DeployAsync(MasterWorld.File("blog"));
        Agents["beech"].Services["blog"] = Revision.Stored("half");
        var state = MasterWorld.Deployment(MasterWorld.File("blog")) with { Node = Label.Parse("beech"), From = Label.Parse("alder") };
        world.Store.Leftovers.Add(new Leftover("deploy", "blog", "beech", FleetDeployment.Write(state), "cut"));
        await world.Node.Undeployer.SweepAsync(default);
        Assert.Contains("blog", Agents["alder"].Services.Keys);
        Assert.DoesNotContain("blog", Agents["beech"].Services.Keys);
    }

    [Fact]
    public async Task A_refusal_that_comes_after_the_deploy_is_not_taken_for_one()
    {
        using var world = World(Fresh());
        Agents["alder"].Hook = (what, _) => what == "deployed"
            ? throw new McpException(ErrorCode.RegistryOpen, "the disk is full")
            : Task.CompletedTask;
        await Assert.ThrowsAsync<StepFailedException>(() => world.DeployAsync(MasterWorld.File("blog")));
        Assert.Equal("alder", world.Home("blog"));
        Mend();
        await world.DeployAsync(MasterWorld.File("blog"));
        ServesAt(world, "blog", "alder", "v1");
    }

    [Fact]
    public async Task Two_nodes_that_have_a_service_leave_the_choice_to_the_operator_and_others_are_adopted()
    {
        using var world = World(Fresh());
        foreach (var agent in Agents.All)
            agent.Services["blog"] = MasterWorld.Revision(MasterWorld.File("blog"));
        Agents["beech"].Services["shop"] = MasterWorld.Revision(MasterWorld.File("shop"));
        var reply = new Protocol.V1.OperationReply();
        await world.Node.Adopter.AdoptAsync(null, reply, default);
        Assert.Contains("runs on alder and on beech", Assert.Single(reply.Failed), StringComparison.Ordinal);
        Assert.Equal(["shop"], world.Store.Placements.List().Select(p => p.Service.Text));
    }

    private void Silent(string node, string when) =>
        Agents[node].Hook = (what, _) => what == when
            ? throw new RpcException(new Status(StatusCode.Unavailable, "cut"))
            : Task.CompletedTask;
}
