using Grpc.Core;
using Mcp.Daemon.Operations;
using Mcp.Model.Errors;
using Mcp.Model.Names;
using Mcp.TestKit.Faults;

namespace Mcp.UnitTests.Master;

/// <summary>What comes after: a deploy, a move or a drain that failed, was killed or was cut off at any side effect, and then each thing
/// that an operator may do next.</summary>
public sealed class FleetAfterFaultTests : FaultyFleet
{
    private static readonly Label s_blog = Label.Parse("blog");

    // Each pair of what was begun, how it broke and what comes next; what has lost services before in every way.
    public static TheoryData<string, Fault, string> Cases
    {
        get
        {
            string[] firsts = ["first", "again", "move", "drain"];
            string[] nexts = ["drain alder", "drain beech", "move", "undeploy", "deploy"];
            Fault[] faults = [Fault.Fail, Fault.Kill, Fault.Cut];
            var cases = new TheoryData<string, Fault, string>();
            for (var first = 0; first < firsts.Length; first++)
            {
                for (var next = 0; next < nexts.Length; next++)
                {
                    foreach (var fault in faults.Where((_, fault) => fault == (first + next) % faults.Length || (next == 0 && first > 0)))
                        cases.Add(firsts[first], fault, nexts[next]);
                }
            }

            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public Task After_a_fault_at_any_side_effect_the_next_command_loses_and_leaves_nothing(string first, Fault fault, string next) =>
        FaultMatrix.RunAsync(fault, atLeast: 5, async point =>
        {
            var directory = Fresh();
            var world = World(directory, waits: fault == Fault.Kill);
            if (first != "first")
                await world.DeployAsync(MasterWorld.File("blog"));
            Break(point.Hook);
            var broke = await point.BreaksAsync(() => FirstAsync(world, first));
            Mend();
            // One that was killed is not disposed: it hangs where it was.
            if (!broke || fault != Fault.Kill)
                world.Dispose();
            if (!broke)
                return;
            using var after = World(directory);
            await NextAsync(after, first, next, $"{point}");
        });

    [Fact]
    public async Task A_drain_after_a_deploy_that_failed_behind_the_agent_keeps_the_service_and_its_new_definition()
    {
        using var world = World(Fresh());
        await world.DeployAsync(MasterWorld.File("blog"));
        Names.Hook = what => what == "route"
            ? throw new McpException(ErrorCode.AcmeRefused, "no certificate for the second hostname")
            : Task.CompletedTask;
        Assert.Equal("edge", (await Assert.ThrowsAsync<StepFailedException>(() => world.DeployAsync(MasterWorld.File("blog", "v2")))).Step);
        Assert.Equal(MasterWorld.Revision(MasterWorld.File("blog", "v2")), world.Store.Placements.Find(s_blog)!.Revision);
        Mend();
        await DrainAsync(world, "alder");
        ServesAt(world, "blog", "beech", "v2");
    }

    [Fact]
    public async Task The_old_copy_of_a_move_stays_until_the_names_have_moved_and_is_removed_by_itself_then()
    {
        var directory = Fresh();
        using (var world = World(directory))
        {
            await world.DeployAsync(MasterWorld.File("blog"));
            Names.Hook = what => what == "name"
                ? throw new McpException(ErrorCode.DnsUnreachable, "the DNS server does not answer")
                : Task.CompletedTask;
            Assert.Equal(
                "dns",
                (await Assert.ThrowsAsync<StepFailedException>(() => world.DeployAsync(MasterWorld.File("blog"), "beech"))).Step);
            await world.Node.Undeployer.SweepAsync(default);
            Assert.Contains("blog", Agents["alder"].Services.Keys);
            Assert.Equal("beech", world.Home("blog"));
        }

        // A master that was started anew knows of it, too.
        using var after = World(directory);
        await after.RecoverAsync();
        Assert.Contains("blog", Agents["alder"].Services.Keys);
        Mend();
        await after.RecoverAsync();
        ServesAt(after, "blog", "beech", "v1");
    }

    [Fact]
    public async Task A_drain_names_what_is_left_on_the_node()
    {
        using var world = World(Fresh());
        await world.DeployAsync(MasterWorld.File("blog"));
        Agents["alder"].Hook = (what, _) => what == "undeploy"
            ? throw new RpcException(new Status(StatusCode.Unavailable, "cut"))
            : Task.CompletedTask;
        var left = await Assert.ThrowsAsync<McpException>(() => DrainAsync(world, "alder"));
        Assert.Equal(ErrorCode.DrainPartial, left.Code);
        Assert.Contains("blog", left.Message, StringComparison.Ordinal);
        Assert.Equal("beech", world.Home("blog"));
        Mend();
        await DrainAsync(world, "alder");
        ServesAt(world, "blog", "beech", "v1");
    }

    private static Task FirstAsync(MasterWorld world, string first) => first switch
    {
        "first" => world.DeployAsync(MasterWorld.File("blog")),
        "again" => world.DeployAsync(MasterWorld.File("blog", "v2")),
        "move" => world.DeployAsync(MasterWorld.File("blog", "v2"), "beech"),
        _ => DrainAsync(world, "alder"),
    };

    private async Task NextAsync(MasterWorld world, string first, string next, string where)
    {
        var somewhere = Agents.All.Any(a => a.Services.ContainsKey("blog"));
        // One that had chosen no node yet may find none: the other is cordoned by now.
        if (world.Store.Operations.Open().Any(o => o.Step == 0) && next.StartsWith("drain", StringComparison.Ordinal))
            await world.RecoverAsync();
        var was = Agents.All.Any(a => a.Services.GetValueOrDefault("blog")?.Body.Contains(":v2", StringComparison.Ordinal) == true)
            || (first is "again" or "move" && world.Store.Operations.Open().Count > 0)
            ? "v2"
            : "v1";
        if (next != "undeploy")
            Watch(where);
        switch (next)
        {
            case "undeploy":
                if (world.Store.Placements.Find(s_blog) is not null)
                    await world.Node.Undeployer.UndeployAsync(s_blog, default);
                await world.Node.Undeployer.SweepAsync(default);
                NothingIsLeft(world);
                return;
            case "deploy":
                await world.DeployAsync(MasterWorld.File("blog", "v3"));
                await world.Node.Undeployer.SweepAsync(default);
                ServesAt(world, "blog", world.Home("blog")!, "v3");
                return;
            case "move":
                await world.DeployAsync(MasterWorld.File("blog", "v2"), "beech");
                await world.Node.Undeployer.SweepAsync(default);
                ServesAt(world, "blog", "beech", "v2");
                return;
            default:
                await DrainedAsync(world, next["drain ".Length..], somewhere, was);
                return;
        }
    }

    private async Task DrainedAsync(MasterWorld world, string node, bool somewhere, string tag)
    {
        world.Store.Nodes.Cordon(Label.Parse("alder"), false);
        await DrainAsync(world, node);
        Assert.DoesNotContain("blog", Agents[node].Services.Keys);
        Assert.DoesNotContain(world.Store.Placements.List(), p => p.Node?.Text == node || p.Target?.Text == node);
        Assert.DoesNotContain(world.Store.Leftovers.List(), l => l.Node == node);
        if (!somewhere && world.Home("blog") is null)
            return;
        var other = node == "alder" ? "beech" : "alder";
        // One that was on the other node before goes on by itself.
        await world.RecoverAsync();
        await world.Node.Dns!.MendAsync(default);
        Assert.Equal(other, world.Home("blog"));
        Assert.Contains($":{tag}", Agents[other].Services["blog"].Body, StringComparison.Ordinal);
        Assert.Equal(Agents[other].Services["blog"], world.Store.Placements.Find(s_blog)!.Revision);
    }

    // Nothing is taken away while it is the only copy, or before the names lead to the other.
    private void Watch(string where)
    {
        var named = true;
        Names.Hook = what =>
        {
            named |= what == "named";
            return Task.CompletedTask;
        };
        foreach (var agent in Agents.All)
        {
            agent.Hook = (what, _) =>
            {
                if (what == "deployed" && Agents.All.Count(a => a.Services.ContainsKey("blog")) > 1)
                    named = false;
                Assert.True(
                    what != "undeploy" || named || !agent.Services.ContainsKey("blog"),
                    $"{where}: {agent.Name} lost it before the names had moved");
                Assert.True(
                    what != "undeployed" || Agents.All.Any(a => a.Services.ContainsKey("blog")),
                    $"{where}: {agent.Name} had the only copy");
                return Task.CompletedTask;
            };
        }
    }

    private static Task DrainAsync(MasterWorld world, string node) =>
        world.Node.Drainer.DrainAsync(Label.Parse(node), "ops", (_, _, _) => { }, default);
}
