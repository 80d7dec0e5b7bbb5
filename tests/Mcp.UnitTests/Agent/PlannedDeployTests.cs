using Mcp.Agent.Deploy;
using Mcp.Daemon.Operations;
using Mcp.Model.Definition;
using Mcp.Model.Deploy;
using Mcp.Model.Errors;
using Mcp.Model.Names;
using Mcp.TestKit.Fakes;

namespace Mcp.UnitTests.Agent;

/// <summary>What a plan shows is what a deploy does, and what was agreed to is all that is done.</summary>
public sealed class PlannedDeployTests : IDisposable
{
    private static readonly string[] s_names = ["db", "web", "job"];
    private readonly string _directory = Directory.CreateTempSubdirectory("mcp-planned").FullName;
    private readonly FakeRuntime _runtime = new(TimeProvider.System) { Images = { "example.com/hello:v1", "example.com/hello:v2" } };
    private readonly World _world;
    private int _touched;

    public PlannedDeployTests()
    {
        _world = new World(_directory, _runtime);
        _runtime.Hook = _ =>
        {
            _touched++;
            return Task.CompletedTask;
        };
    }

    public void Dispose()
    {
        _world.Dispose();
        _runtime.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    [Fact]
    public async Task Whatever_a_plan_shows_is_what_a_deploy_with_its_id_does()
    {
        var random = new Random(42);
        for (var round = 0; round < 60; round++)
        {
            var wanted = Any(random);
            var only = random.Next(3) == 0 ? wanted.Components[random.Next(wanted.Components.Count)].Name : null;
            var options = new DeployOptions(only, Force: random.Next(4) == 0);
            if (random.Next(4) == 0 && _world.Registry.Components.Find(wanted.Name) is not null)
                await _world.Control.StopAsync(wanted.Name, null, default);
            var before = await RunningAsync();
            var plan = await _world.Rollouts.PlanAsync(wanted, options, default);
            Assert.Equal(plan.Id, (await _world.Rollouts.PlanAsync(wanted, options, default)).Id);
            await _world.Deployer.DeployAsync(wanted, options with { Plan = plan.Id }, null, default);
            await _world.RecoverAsync();
            var after = await RunningAsync();
            var expected = new Dictionary<string, int>(before);
            foreach (var change in plan.Changes)
            {
                if (change.Kind == ChangeKind.Remove || change.Ends || (change.Rolls && !plan.Target.Active))
                    expected.Remove(change.Component.Text);
                else if (change.Rolls)
                    expected[change.Component.Text] = change.New;
            }

            Assert.Equal(expected.OrderBy(e => e.Key, StringComparer.Ordinal), after.OrderBy(e => e.Key, StringComparer.Ordinal));
            var stored = _world.Registry.Components.Find(wanted.Name)!;
            Assert.Equal(ServiceFileWriter.Write(plan.Target), ServiceFileWriter.Write(stored));
            // What did not change shows no key, and what changed shows why.
            Assert.All(plan.Changes, c => Assert.True(c.Kind != ChangeKind.Keep || c.Fields.Count == 0, c.Why));
            Assert.All(plan.Changes, c => Assert.True(c.Why != "changed" || c.Fields.Count > 0, $"{c.Component} changed nothing"));
        }
    }

    [Fact]
    public async Task One_component_of_a_new_service_is_planned_and_deployed_alone()
    {
        // There is no image of db: whoever wanted it, too, would fail.
        var file = Service("shop", "v1", "[[components]]\nname = \"db\"\nimage = \"example.com/nowhere:v1\"");
        var options = new DeployOptions(Label.Parse("web"));
        var plan = await _world.Rollouts.PlanAsync(file, options, default);
        Assert.Equal([("web", ChangeKind.Create, 1)], plan.Changes.Select(c => (c.Component.Text, c.Kind, c.New)));
        await _world.Deployer.DeployAsync(file, options with { Plan = plan.Id }, null, default);
        Assert.Equal(["shop.web.1"], await _world.RunningAsync());
        Assert.Equal(["web"], _world.Registry.Components.Find(file.Name)!.Components.Select(c => c.Name.Text));
    }

    [Fact]
    public async Task A_plan_that_something_has_changed_since_is_refused_before_anything_is_touched()
    {
        await _world.DeployAsync(Service("blog", "v1"));
        var wanted = Service("blog", "v1", "[[components]]\nname = \"db\"\nimage = \"example.com/hello:v1\"\nwatch = \"0s\"");
        var id = (await _world.Rollouts.PlanAsync(wanted, DeployOptions.Default, default)).Id;

        // Another file, another wish.
        await RefusedAsync(Service("blog", "v2"), new DeployOptions { Plan = id });
        await RefusedAsync(wanted, new DeployOptions(Force: true) { Plan = id });
        await RefusedAsync(wanted, new DeployOptions(Label.Parse("web")) { Plan = id });
        // Somebody has stopped it: it would be made anew now.
        await _world.Control.StopAsync(wanted.Name, null, default);
        await RefusedAsync(wanted, new DeployOptions { Plan = id });
        await _world.Control.StartAsync(wanted.Name, null, default);
        // Nothing has changed but back and forth.
        Assert.Equal(id, (await _world.Rollouts.PlanAsync(wanted, DeployOptions.Default, default)).Id);
        await _world.DeployAsync(Service("blog", "v2"));
        await RefusedAsync(wanted, new DeployOptions { Plan = id });
        // Also what was done already.
        var next = (await _world.Rollouts.PlanAsync(wanted, DeployOptions.Default, default)).Id;
        await _world.Deployer.DeployAsync(wanted, new DeployOptions { Plan = next }, null, default);
        await RefusedAsync(wanted, new DeployOptions { Plan = next });
    }

    [Fact]
    public async Task A_deploy_that_failed_and_was_undone_leaves_the_plan_as_it_was()
    {
        await _world.DeployAsync(Service("blog", "v1"));
        var wanted = Service("blog", "v2");
        var plan = await _world.Rollouts.PlanAsync(wanted, DeployOptions.Default, default);
        _runtime.Crashing.Add("web");
        await Assert.ThrowsAsync<StepFailedException>(() => _world.Deployer.DeployAsync(
            wanted,
            new DeployOptions { Plan = plan.Id },
            null,
            default));
        _runtime.Crashing.Clear();
        await _world.Deployer.DeployAsync(wanted, new DeployOptions { Plan = plan.Id }, null, default);
        Assert.Equal(["blog.web.3"], await _world.RunningAsync());
    }

    [Fact]
    public async Task What_is_half_done_is_left_to_itself_where_a_plan_was_agreed_to_before()
    {
        await _world.DeployAsync(Service("blog", "v1"));
        var wanted = Service("blog", "v2");
        var id = (await _world.Rollouts.PlanAsync(wanted, DeployOptions.Default, default)).Id;
        var half = _world.Rollouts.Begin(await _world.Rollouts.PlanAsync(wanted, DeployOptions.Default, default));
        _world.Registry.Operations.Save(new JournalEntry(Guid.NewGuid(), "rollout", "blog", 0, false, Deployment.Write(half)));
        _touched = 0;
        var refused = await Assert.ThrowsAsync<McpException>(() => _world.Deployer.DeployAsync(
            wanted,
            new DeployOptions { Plan = id },
            null,
            default));
        Assert.Equal((ErrorCode.PlanChanged, 0), (refused.Code, _touched));
        Assert.Single(_world.Registry.Operations.Open());

        // The master, which was killed and asks again for what it had asked for, has it finished.
        await _world.Deployer.DeployAsync(wanted, new DeployOptions(IfChanged: true) { Plan = id }, null, default);
        Assert.Equal(["blog.web.2"], await _world.RunningAsync());
        Assert.Empty(_world.Registry.Operations.Open());
    }

    private static ServiceDefinition Service(string name, string tag, string more = "") => ServiceFile.Parse($"""
        name = "{name}"
        [[components]]
        name = "web"
        image = "example.com/hello:{tag}"
        watch = "0s"
        {more}
        """, "test");

    private static ServiceDefinition Any(Random random)
    {
        string Pick(params string[] of) => of[random.Next(of.Length)];
        var names = s_names.Where(_ => random.Next(3) > 0).DefaultIfEmpty("db").ToArray();
        random.Shuffle(names);
        var components = names.Select(n => $"""
            [[components]]
            name = "{n}"
            image = "example.com/hello:{Pick("v1", "v2")}"
            watch = "0s"
            {Pick("", "", "memory_mb = 64", "env = { A = \"1\" }", "env = { A = \"2\" }")}
            {Pick("", "", "drain = \"1s\"", "update = \"stop-first\"")}
            """);
        return ServiceFile.Parse(
            $"name = \"shop\"\n{Pick("", "", "", "active = false", "tier = \"core\"")}\n{string.Join('\n', components)}",
            "test");
    }

    private async Task<Dictionary<string, int>> RunningAsync() =>
        (await _world.RunningAsync()).Select(InstanceName.Parse).ToDictionary(i => i.Component.Text, i => i.Generation);

    private async Task RefusedAsync(ServiceDefinition wanted, DeployOptions options)
    {
        var (there, touched) = (await _world.InstancesAsync(), _touched);
        var last = _world.Registry.Generations.Last(wanted.Name, Label.Parse("web"));
        var refused = await Assert.ThrowsAsync<McpException>(() => _world.Deployer.DeployAsync(wanted, options, null, default));
        Assert.Equal(ErrorCode.PlanChanged, refused.Code);
        Assert.Contains("mcp plan", refused.Hint, StringComparison.Ordinal);
        Assert.Equal((touched, last), (_touched, _world.Registry.Generations.Last(wanted.Name, Label.Parse("web"))));
        Assert.Equal(there, await _world.InstancesAsync());
        Assert.Empty(_world.Registry.Operations.Open());
    }
}
