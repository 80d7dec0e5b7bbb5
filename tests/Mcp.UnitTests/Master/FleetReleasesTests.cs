using Mcp.Daemon.Operations;
using Mcp.Model.Names;
using Mcp.TestKit.Faults;

namespace Mcp.UnitTests.Master;

/// <summary>Releases are numbered by the fleet, wherever a service runs, and the agent that has it counts along.</summary>
public sealed class FleetReleasesTests : FaultyFleet
{
    private static readonly Label s_blog = Label.Parse("blog");

    [Fact]
    public async Task Numbers_go_up_over_nodes_and_what_changed_nothing_is_no_release()
    {
        using var world = World(Fresh());
        await DeployAsync(world, "v1", "ann");
        await DeployAsync(world, "v1", "ann");
        await DeployAsync(world, "v2", "bob", "beech");
        await world.Node.Drainer.DrainAsync(Label.Parse("beech"), "ops", (_, _, _) => { }, default);
        Assert.Equal(
            [(3, "ops", Outcome.Done), (2, "bob", Outcome.Done), (1, "ann", Outcome.Done)],
            world.Store.Releases.Of(s_blog).Select(r => ((int)r.Number, r.By, r.Outcome!.Value)));
        Assert.Equal((3, 2), (Agents["alder"].Release, Agents["beech"].Release));
        Assert.Equal(
            MasterWorld.Revision(MasterWorld.File("blog", "v2")),
            world.Store.Releases.Revision(world.Store.Releases.Of(s_blog)[0].Revision));
    }

    [Fact]
    public async Task A_number_that_the_node_has_given_already_is_never_given_again()
    {
        using var world = World(Fresh());
        Agents["alder"].Release = 41;
        await DeployAsync(world, "v1", "ann", "alder");
        Assert.Equal([42], world.Store.Releases.Of(s_blog).Select(r => r.Number));
        await DeployAsync(world, "v2", "ann");
        Assert.Equal([43, 42], world.Store.Releases.Of(s_blog).Select(r => r.Number));
        // A node that counts to the end of the world is not believed.
        Agents["alder"].Release = long.MaxValue - 1;
        await DeployAsync(world, "v3", "ann");
        Assert.Equal([44, 43, 42], world.Store.Releases.Of(s_blog).Select(r => r.Number));
    }

    [Fact]
    public async Task A_deploy_that_failed_says_so_and_why()
    {
        using var world = World(Fresh());
        Agents["alder"].Hook = (what, _) => what == "deploy"
            ? throw new Model.Errors.McpException(Model.Errors.ErrorCode.StepFailed, "no luck")
            : Task.CompletedTask;
        await Assert.ThrowsAsync<StepFailedException>(() => DeployAsync(world, "v1", "ann"));
        var release = Assert.Single(world.Store.Releases.Of(s_blog));
        Assert.Equal((1, Outcome.Failed), (release.Number, release.Outcome));
        Assert.Contains("step deploy: node alder: no luck", release.Why, StringComparison.Ordinal);
    }

    [Fact]
    public Task A_master_that_was_killed_ends_the_release_that_it_began() =>
        FaultMatrix.RunAsync(Fault.Kill, atLeast: 4, async point =>
        {
            var directory = Fresh();
            foreach (var agent in Agents.All)
                agent.Release = 0;
            var killed = World(directory, waits: true);
            Break(point.Hook);
            if (!await point.BreaksAsync(() => DeployAsync(killed, "v1", "ann")))
            {
                killed.Dispose();
                return;
            }

            Mend();
            using var world = World(directory);
            await world.RecoverAsync();
            var release = Assert.Single(world.Store.Releases.Of(s_blog));
            Assert.Equal((1, "ann", Outcome.Done), (release.Number, release.By, release.Outcome));
        });

    [Fact]
    public async Task An_agent_of_before_sends_its_service_file_and_is_understood()
    {
        using var world = World(Fresh());
        Agents["alder"].IsOld = true;
        await DeployAsync(world, "v1", "ann", "alder");
        await DeployAsync(world, "v2", "ann");
        ServesAt(world, "blog", "alder", "v2");
        Assert.Equal([2, 1], world.Store.Releases.Of(s_blog).Select(r => r.Number));
        Assert.Equal(MasterWorld.Revision(MasterWorld.File("blog", "v2")), world.Store.Placements.Find(s_blog)!.Revision);
        Agents["alder"].IsOld = false;
    }

    private static Task DeployAsync(MasterWorld world, string tag, string by, string? node = null) => world.Node.Deployer.DeployAsync(
        MasterWorld.Deployment(MasterWorld.File("blog", tag)) with { By = by, MoveTo = node is null ? null : Label.Parse(node) },
        null,
        default);
}
