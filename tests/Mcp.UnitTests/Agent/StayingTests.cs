using Mcp.Agent.Deploy;
using Mcp.Daemon.Operations;
using Mcp.Model.Definition;
using Mcp.Model.Names;
using Mcp.TestKit.Fakes;
using Mcp.TestKit.Faults;

namespace Mcp.UnitTests.Agent;

/// <summary>The undo of one component does not take a healthy database back with it, unless it needs to.</summary>
public sealed class StayingTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("mcp-staying").FullName;
    private readonly FakeRuntime _runtime = Runtime();

    public void Dispose()
    {
        _runtime.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    [Theory]
    [InlineData("")]
    [InlineData("update = \"stop-first\"")]
    public async Task A_web_that_fails_goes_back_alone(string update)
    {
        using var world = new World(_directory, _runtime);
        await world.DeployAsync(Both("v1", update));
        var failed = await Assert.ThrowsAsync<StepFailedException>(
            () => DeployAsync(world, Both("v2", update), () => Kill("web", 2)));
        Assert.Equal(("watch", true), (failed.Step, failed.Undone));
        Assert.Contains("blog.db.2, which took its place, is well and stays", failed.Reason.Hint, StringComparison.Ordinal);
        await world.RecoverAsync();
        Assert.Equal(["blog.db.2", "blog.web.1"], await world.InstancesAsync());
        await IsAsRegisteredAsync(world);
        // It has its ports still.
        Assert.Contains(world.Registry.Ports.All(), p => p.Instance.ToString() == "blog.db.2");
        // The next try finds the database as it is wanted.
        await world.DeployAsync(Both("v2", update));
        Assert.Equal(["blog.db.2", "blog.web.3"], await world.RunningAsync());
    }

    [Fact]
    public async Task Where_the_web_of_before_does_not_get_on_with_it_both_go_back()
    {
        using var world = new World(_directory, _runtime);
        await world.DeployAsync(Both("v1"));
        await Assert.ThrowsAsync<StepFailedException>(() => DeployAsync(world, Both("v2"), () =>
        {
            _runtime.Sick.Add("web");
            Kill("web", 2);
        }));
        await world.RecoverAsync();
        Assert.Equal(["blog.db.1", "blog.web.1"], await world.InstancesAsync());
        await IsAsRegisteredAsync(world);
    }

    [Fact]
    public async Task A_database_that_is_not_well_goes_back_too()
    {
        using var world = new World(_directory, _runtime);
        await world.DeployAsync(Both("v1"));
        await Assert.ThrowsAsync<StepFailedException>(() => DeployAsync(world, Both("v2"), () => Kill("web", 2), () => Kill("db", 2)));
        await world.RecoverAsync();
        Assert.Equal(["blog.db.1", "blog.web.1"], await world.InstancesAsync());
        await IsAsRegisteredAsync(world);
    }

    [Fact]
    public async Task A_database_that_fails_takes_the_web_back_with_it()
    {
        using var world = new World(_directory, _runtime);
        await world.DeployAsync(Both("v1"));
        await Assert.ThrowsAsync<StepFailedException>(() => DeployAsync(world, Both("v2"), () => Kill("db", 2)));
        await world.RecoverAsync();
        Assert.Equal(["blog.db.1", "blog.web.1"], await world.InstancesAsync());
        await IsAsRegisteredAsync(world);
    }

    [Fact]
    public Task An_agent_killed_at_any_side_effect_of_the_undo_ends_with_one_instance_of_each() =>
        FaultMatrix.RunAsync(Fault.Kill, atLeast: 6, async point =>
        {
            using var runtime = Runtime();
            var directory = Directory.CreateDirectory(Path.Combine(_directory, $"{point.Number}")).FullName;
            using var before = new World(directory, runtime);
            await before.DeployAsync(Both("v1"));
            var broke = await point.BreaksAsync(() => Assert.ThrowsAsync<StepFailedException>(() => DeployAsync(
                before,
                Both("v2"),
                () => runtime.Kill(InstanceName.Parse("blog.web.2"), 3),
                () => runtime.Hook = point.Hook)));
            runtime.Hook = _ => Task.CompletedTask;
            if (!broke)
                return;
            using var after = new World(directory, runtime);
            await after.RecoverAsync();
            // As every agent does at its start.
            await after.Proxy.PushAsync(default);
            Assert.Equal(["blog.db.2", "blog.web.1"], await after.InstancesAsync());
            await IsAsRegisteredAsync(after);
        });

    private static FakeRuntime Runtime() =>
        new(TimeProvider.System) { Images = { "example.com/hello:v1", "example.com/hello:v2" } };

    private static async Task IsAsRegisteredAsync(World world)
    {
        Assert.Equal(world.Registry.Components.List().Select(c => c.Instance.ToString()).Order(), await world.RunningAsync());
        Assert.Empty(world.Registry.Operations.Open());
        Assert.Empty(world.Registry.Holds.All());
        Assert.Equal("blog.web.1", world.Proxy.Targets["blog"].ToString());
    }

    private static Task<bool> DeployAsync(World world, ServiceDefinition service, Action watched, Action? undone = null) =>
        world.Deployer.DeployAsync(service, DeployOptions.Default, (step, mark, _) =>
        {
            if (step == "watch" && mark == StepMark.Progress)
                watched();
            if (step == "watch" && mark == StepMark.Failed)
                undone?.Invoke();
        }, default);

    private void Kill(string component, int generation) =>
        _runtime.Kill(new InstanceName(Label.Parse("blog"), Label.Parse(component), generation), 3);

    private ServiceDefinition Both(string tag, string update = "") => ServiceFile.Parse($$"""
        name = "blog"
        [[components]]
        name = "web"
        image = "example.com/hello:{{tag}}"
        watch = "300ms"
        health = { http = "/", port = 8080, interval = "20ms" }
        {{update}}
        [[components.routes]]
        name = "http"
        port = 8080
        [[components]]
        name = "db"
        image = "example.com/hello:{{tag}}"
        volumes = ["{{_directory}}:/data"]
        watch = "300ms"
        health = { tcp = true, port = 5432, interval = "20ms" }
        """, "test");
}
