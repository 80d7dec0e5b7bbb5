using Mcp.Agent.Deploy;
using Mcp.Daemon.Operations;
using Mcp.Model.Definition;
using Mcp.Model.Deploy;
using Mcp.Model.Errors;
using Mcp.Model.Events;
using Mcp.Model.Names;

namespace Mcp.UnitTests.Agent;

/// <summary>A writable volume has one writer, whatever is done, in whatever order, with kills and failures in between.</summary>
public sealed class OneWriterTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("mcp-writers").FullName;

    public OneWriterTests()
    {
        Directory.CreateDirectory(Path.Combine(_root, "a", "b"));
        Directory.CreateDirectory(Path.Combine(_root, "c"));
        Directory.CreateSymbolicLink(Path.Combine(_root, "link"), Path.Combine(_root, "a"));
    }

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public async Task No_order_of_commands_failures_and_kills_lets_two_write_to_one_volume_or_gives_a_number_twice()
    {
        var told = Environment.GetEnvironmentVariable("MCP_SEED");
        var seed = told is null ? Environment.TickCount : int.Parse(told, System.Globalization.CultureInfo.InvariantCulture);
        var rounds = int.Parse(Environment.GetEnvironmentVariable("MCP_LONG") ?? "12", System.Globalization.CultureInfo.InvariantCulture);
        for (var round = 0; round < rounds; round++)
        {
            try
            {
                Assert.Empty(await RoundAsync(seed + round, Directory.CreateDirectory(Path.Combine(_root, $"state{round}")).FullName));
            }
            catch (Exception e)
            {
                throw new InvalidOperationException($"MCP_SEED={seed + round}", e);
            }
        }
    }

    [Theory]
    [InlineData("container", "container")]
    [InlineData("container", "microvm")]
    [InlineData("microvm", "container")]
    public async Task A_renamed_component_takes_its_volume_over_after_the_old_one_has_ended(string before, string after)
    {
        using var world = new WritersWorld(Directory.CreateDirectory(Path.Combine(_root, "state")).FullName);
        using var agent = world.Agent();
        await agent.DeployAsync(Service("shop", Component("db", "v1", "a", before)));
        await agent.DeployAsync(Service("shop", Component("database", "v1", "a", after)));
        Assert.Empty(world.Faults);
        Assert.Equal(["shop.database.1"], (await world.InstancesAsync()).Select(i => i.Name.ToString()));
    }

    [Fact]
    public async Task Two_components_that_swap_their_volumes_never_hold_one_together()
    {
        using var world = new WritersWorld(Directory.CreateDirectory(Path.Combine(_root, "state")).FullName);
        using var agent = world.Agent();
        await agent.DeployAsync(Service("shop", Component("x", "v1", "a"), Component("y", "v1", "c")));
        await agent.DeployAsync(Service("shop", Component("x", "v1", "c"), Component("y", "v1", "a")));
        Assert.Empty(world.Faults);
        Assert.Equal(["shop.x.2", "shop.y.2"], (await world.InstancesAsync()).Select(i => i.Name.ToString()).Order());
    }

    [Theory]
    [InlineData("a")]
    [InlineData("link")]
    [InlineData("a/b")]
    [InlineData("link/b")]
    [InlineData("a/")]
    [InlineData("")]
    public async Task A_second_service_on_a_directory_in_use_is_refused_before_anything_is_touched(string path)
    {
        using var world = new WritersWorld(Directory.CreateDirectory(Path.Combine(_root, "state")).FullName);
        using var agent = world.Agent();
        await agent.DeployAsync(Service("shop", Component("db", "v1", "a")));
        var e = await Assert.ThrowsAsync<McpException>(() => agent.DeployAsync(Service("other", Component("db", "v1", path, "microvm"))));
        Assert.Equal(ErrorCode.VolumeHeld, e.Code);
        Assert.Contains("shop.db.1", e.Message, StringComparison.Ordinal);
        Assert.Equal(["shop.db.1"], await agent.RunningAsync());
        Assert.Empty(agent.Registry.Components.List(Label.Parse("other")));
        Assert.Empty(agent.Registry.Operations.Open());
    }

    [Fact]
    public async Task Shared_is_for_all_or_for_nobody()
    {
        using var world = new WritersWorld(Directory.CreateDirectory(Path.Combine(_root, "state")).FullName);
        using var agent = world.Agent();
        await agent.DeployAsync(Service("one", Component("web", "v1", "a:shared")));
        await agent.DeployAsync(Service("two", Component("web", "v1", "a:shared")));
        await agent.DeployAsync(Service("three", Component("web", "v1", "a:ro")));
        Assert.Equal(
            ErrorCode.VolumeHeld,
            (await Assert.ThrowsAsync<McpException>(() => agent.DeployAsync(Service("four", Component("web", "v1", "a"))))).Code);
        await agent.DeployAsync(Service("one", Component("web", "v2", "a:shared")));
        Assert.Equal(["one.web.2", "three.web.1", "two.web.1"], await agent.RunningAsync());
        Assert.Empty(world.Faults);
    }

    [Fact]
    public async Task What_did_not_change_is_kept_unless_it_is_forced()
    {
        using var world = new WritersWorld(Directory.CreateDirectory(Path.Combine(_root, "state")).FullName);
        using var agent = world.Agent();
        var both = Service("shop", Component("db", "v1", "a"), Component("web", "v1", "c:shared"));
        await agent.DeployAsync(both);
        var calls = 0;
        world.Reset(_ => Task.FromResult(calls++));
        await agent.DeployAsync(both);
        Assert.Equal(0, calls);
        await agent.DeployAsync(Service("shop", Component("db", "v1", "a"), Component("web", "v2", "c:shared")));
        Assert.Equal(["shop.db.1", "shop.web.2"], await agent.RunningAsync());
        await agent.Deployer.DeployAsync(both, new DeployOptions(Force: true), null, default);
        Assert.Equal(["shop.db.2", "shop.web.3"], await agent.RunningAsync());
        Assert.Empty(world.Faults);
    }

    [Fact]
    public async Task A_failed_update_says_what_became_of_each_instance_that_ran_before()
    {
        using var world = new WritersWorld(Directory.CreateDirectory(Path.Combine(_root, "state")).FullName);
        using var agent = world.Agent();
        await agent.DeployAsync(Service("shop", Component("db", "v1", "a"), Component("web", "v1", "c:shared")));
        world.Containers.Crashing.Add("db");
        var crashed = await Assert.ThrowsAsync<StepFailedException>(() => agent.DeployAsync(Service(
            "shop",
            Component("db", "v2", "a"),
            Component("web", "v2", "c:shared"))));
        Assert.Equal("replace", crashed.Step);
        Assert.Matches(
            @"shop\.db\.1 was stopped at \d\d:\d\d:\d\dZ and started again at \d\d:\d\d:\d\dZ; it is NOT well",
            crashed.Reason.Hint);
        Assert.Contains("shop.web.1 was not touched", crashed.Reason.Hint, StringComparison.Ordinal);
        world.Containers.Crashing.Clear();
        await agent.RecoverAsync();
        Assert.Equal(["shop.db.1", "shop.web.1"], await agent.RunningAsync());
        Assert.Contains(agent.Registry.Events.After(0, 100), e => e.Kind == EventKind.DeployUndoUnwell);
        Assert.Empty(world.Faults);
    }

    [Fact]
    public async Task A_plan_says_who_stops_first_and_why_and_is_what_a_deploy_does()
    {
        using var world = new WritersWorld(Directory.CreateDirectory(Path.Combine(_root, "state")).FullName);
        using var agent = world.Agent();
        await agent.DeployAsync(Service("shop", Component("db", "v1", "a"), Component("web", "v1", "c:shared")));
        var plan = await agent.Rollouts.PlanAsync(
            Service("shop", Component("db", "v2", "a"), Component("web", "v1", "c:shared")),
            DeployOptions.Default,
            default);
        Assert.Equal(
            [("db", ChangeKind.Replace, true), ("web", ChangeKind.Keep, false)],
            plan.Changes.Select(c => (c.Component.Text, c.Kind, c.StopsFirst)));
        Assert.Contains($"only one instance at a time may write to {_root}/a", plan.Changes[0].Why, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_start_that_is_refused_has_changed_nothing()
    {
        using var world = new WritersWorld(Directory.CreateDirectory(Path.Combine(_root, "state")).FullName);
        using var agent = world.Agent();
        await agent.DeployAsync(Service("shop", Component("db", "v1", "a"), Component("web", "v1", "c:shared")));
        await agent.Control.StopAsync(Label.Parse("shop"), null, default);
        await agent.DeployAsync(Service("other", Component("db", "v1", "a/b")));
        Assert.Equal(
            ErrorCode.VolumeHeld,
            (await Assert.ThrowsAsync<McpException>(() => agent.Control.StartAsync(Label.Parse("shop"), null, default))).Code);
        await agent.RecoverAsync();
        Assert.Equal(["other.db.1"], await agent.RunningAsync());
        Assert.All(agent.Registry.Components.List(Label.Parse("shop")), c => Assert.Equal(Model.Instances.DesiredState.Stopped, c.Desired));
    }

    [Fact]
    public async Task A_volume_that_changes_is_told_and_the_old_writer_ends_before_its_data_is_read()
    {
        using var world = new WritersWorld(Directory.CreateDirectory(Path.Combine(_root, "state")).FullName);
        using var agent = world.Agent();
        await agent.DeployAsync(Service("shop", Component("db", "v1", "a")));
        var moved = await agent.Rollouts.PlanAsync(Service("shop", Component("db", "v1", "c")), DeployOptions.Default, default);
        Assert.StartsWith(
            "changed; other volumes; no data is copied; stops first: ", moved.Changes[0].Why, StringComparison.Ordinal);
        Assert.Equal([new FieldChange("volumes", $"[\"{_root}/a:/data\"]", $"[\"{_root}/c:/data\"]")], moved.Changes[0].Fields);
        var read = await agent.Rollouts.PlanAsync(Service("shop", Component("db", "v1", "a:ro")), DeployOptions.Default, default);
        Assert.True(read.Changes[0].StopsFirst);
    }

    private async Task<List<string>> RoundAsync(int seed, string state)
    {
        var random = new Random(seed);
        using var world = new WritersWorld(state);
        var agents = new List<World> { world.Agent() };
        for (var step = 0; step < 25 && world.Faults.Count == 0; step++)
        {
            var point = random.Next(3) == 0 ? 0 : random.Next(1, 30);
            var kill = random.Next(2) == 0;
            var flows = Flows(random, agents[^1]);
            var life = new Life(flows.Count);
            world.Reset(call => (life.IsOver, call == point, kill) switch
            {
                (true, _, _) or (_, true, true) => life.EndAsync(),
                (_, true, false) => throw new McpException(ErrorCode.Of("test"), "broken"),
                _ => Task.CompletedTask,
            });
            foreach (var flow in flows)
                _ = life.FlowAsync(flow);
            await life.Quiet.WaitAsync(TimeSpan.FromMinutes(5));
            world.Reset();
            if (life.IsOver)
                agents.Add(world.Agent());
            await agents[^1].RecoverAsync();
            // One that was changed back and forth stands in the way of nothing.
            if (agents[^1].Registry.Operations.Open().Count > 0)
                world.Faults.Add($"left in the journal: {agents[^1].Registry.Operations.Open()[0]}");
        }

        agents.ForEach(a => a.Dispose());
        return world.Faults;
    }

    // What goes on at once. All that chance decides is decided here: seeds stay what they are.
    private List<Func<Task>> Flows(Random random, World agent)
    {
        var service = Label.Parse(random.Next(2) == 0 ? "one" : "two");
        switch (random.Next(9))
        {
            case 0:
                return [() => agent.Undeployer.UndeployAsync(service, default)];
            case 1:
                return [() => agent.Control.StopAsync(service, null, default)];
            case 2:
                return [() => agent.Control.StartAsync(service, null, default)];
            case 3:
                return [() => agent.Control.RestartAsync(service, null, default)];
            case 4:
                var which = random.Next(1000);
                return [() => KillOneAsync(agent, which)];
            case 5:
                var (one, two) = (Any(random, "one"), Any(random, "two"));
                return [() => agent.DeployAsync(one), () => agent.DeployAsync(two)];
            case 6:
                return [() => LoseAsync(agent, service)];
            default:
                var (wanted, options) = (Any(random, service.Text), new DeployOptions(Force: random.Next(4) == 0));
                return [() => agent.Deployer.DeployAsync(wanted, options, null, default)];
        }
    }

    private static async Task KillOneAsync(World agent, int which)
    {
        if (await agent.RunningAsync() is { Length: > 0 } running)
            agent.Runtime.Kill(InstanceName.Parse(running[which % running.Length]), 137);
    }

    // The registry is lost, as far as this service goes.
    private static async Task LoseAsync(World agent, Label service)
    {
        agent.Registry.Components.Delete(service);
        await agent.Adoption.AdoptAsync(null, false, default);
    }

    private ServiceDefinition Any(Random random, string service)
    {
        string Pick(params string[] of) => of[random.Next(of.Length)];
        while (true)
        {
            var names = new[] { "db", "web", "job" }.Where(_ => random.Next(2) == 0).DefaultIfEmpty("db");
            try
            {
                return Service(
                    service,
                    [.. names.Select(n => Component(
                        n,
                        Pick("v1", "v2"),
                        Pick("a", "a/b", "c", "link", "link/b", "=data", "=data") + Pick("", "", ":shared", ":ro"),
                        Pick("container", "microvm")))]);
            }
            catch (ServiceFileException)
            {
                // Two writers in one file.
            }
        }
    }

    private static ServiceDefinition Service(string name, params string[] components) =>
        ServiceFile.Parse($"name = \"{name}\"\n{string.Join('\n', components)}", "test");

    // A directory, or a volume of the service's own: "=name".
    private string Component(string name, string tag, string volume, string runtime = "container")
    {
        var parts = volume.Split(':');
        var source = parts[0].StartsWith('=') ? parts[0][1..] : $"{_root}/{parts[0]}";
        return $"""
            [[components]]
            name = "{name}"
            image = "example.com/hello:{tag}"
            runtime = "{runtime}"
            watch = "0s"
            volumes = ["{source}:/data{(parts.Length > 1 ? $":{parts[1]}" : "")}"]
            """;
    }

    // kill -9 ends all that an agent does: each flow hangs at its next change, and the next agent starts when none goes on.
    private sealed class Life(int flows)
    {
        private readonly TaskCompletionSource _quiet = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private volatile bool _isOver;
        private int _left = flows;

        public bool IsOver => _isOver;

        /// <summary>Nothing goes on.</summary>
        public Task Quiet => _quiet.Task;

        public Task EndAsync()
        {
            _isOver = true;
            Leave();
            return new TaskCompletionSource().Task;
        }

        public async Task FlowAsync(Func<Task> flow)
        {
            await Record.ExceptionAsync(flow);
            Leave();
        }

        private void Leave()
        {
            if (Interlocked.Decrement(ref _left) == 0)
                _quiet.SetResult();
        }
    }
}
