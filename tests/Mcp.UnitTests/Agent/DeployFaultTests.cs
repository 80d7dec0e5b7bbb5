using Mcp.Agent.Deploy;
using Mcp.Daemon.Operations;
using Mcp.Model.Errors;
using Mcp.Model.Instances;
using Mcp.Model.Names;
using Mcp.TestKit.Fakes;
using Mcp.TestKit.Faults;

namespace Mcp.UnitTests.Agent;

/// <summary>The fault matrix: an upgrade, a first deploy and an undeploy, broken and killed before and after every single side
/// effect.</summary>
public sealed class DeployFaultTests : IDisposable
{
    private static readonly Label s_blog = Label.Parse("blog");
    private readonly string _directory = Directory.CreateTempSubdirectory("mcp-world").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Theory]
    [InlineData("")]
    [InlineData("ports = [\"127.0.0.1:28080:8080\"]")]
    public Task An_upgrade_killed_at_any_side_effect_ends_with_one_generation_that_serves(string extra) =>
        FaultMatrix.RunAsync(Fault.Kill, atLeast: 10, async point =>
        {
            using var runtime = Runtime();
            var directory = Directory.CreateDirectory(Path.Combine(_directory, $"{point.Number}")).FullName;
            using var before = new World(directory, runtime);
            await before.DeployAsync(World.Service("blog", "v1", extra));
            runtime.Hook = point.Hook;
            if (!await point.BreaksAsync(() => before.DeployAsync(World.Service("blog", "v2", extra))))
                return;
            if (extra.Length == 0)
                await ServedAsync(before);
            runtime.Hook = _ => Task.CompletedTask;
            using var after = new World(directory, runtime);
            await after.RecoverAsync();
            var stored = Assert.Single(after.Registry.Components.List());
            Assert.Equal([stored.Instance.ToString()], await after.InstancesAsync());
            Assert.Equal([stored.Instance.ToString()], await after.RunningAsync());
            Assert.Equal("v2", stored.Definition.Image.Text[^2..]);
            Assert.All(after.Registry.Ports.All(), p => Assert.Equal(stored.Instance, p.Instance));
            Assert.Empty(after.Registry.Operations.Open());
        });

    [Theory]
    [InlineData("")]
    [InlineData("volumes = [\"/tmp:/data\"]")]
    [InlineData("runtime = \"microvm\"\nvolumes = [\"/tmp:/data\"]")]
    public Task A_machine_that_is_rebooted_at_any_side_effect_of_an_upgrade_ends_with_one_generation_that_serves(string extra) =>
        FaultMatrix.RunAsync(Fault.Kill, atLeast: 10, async point =>
        {
            using var runtime = Runtime();
            var directory = Directory.CreateDirectory(Path.Combine(_directory, $"{point.Number}")).FullName;
            using var before = new World(directory, runtime, vms: runtime);
            await before.DeployAsync(World.Service("blog", "v1", $"watch = \"20ms\"\n{extra}"));
            runtime.Hook = point.Hook;
            if (!await point.BreaksAsync(() => before.DeployAsync(World.Service("blog", "v2", $"watch = \"20ms\"\n{extra}"))))
                return;
            runtime.Hook = _ => Task.CompletedTask;
            foreach (var instance in await runtime.ListAsync(default))
                runtime.Kill(instance.Name, 137);
            using var after = new World(directory, runtime, vms: runtime, run: "two");
            await after.RecoverAsync();
            // As every agent does at its start.
            await after.Proxy.PushAsync(default);
            var stored = Assert.Single(after.Registry.Components.List());
            Assert.Equal([stored.Instance.ToString()], await after.InstancesAsync());
            Assert.Equal([stored.Instance.ToString()], await after.RunningAsync());
            Assert.Equal(stored.Instance, after.Proxy.Targets["blog"]);
            Assert.Empty(after.Registry.Operations.Open());
            Assert.Empty(after.Registry.Holds.All());
        });

    [Fact]
    public Task An_upgrade_that_fails_at_any_side_effect_leaves_the_old_generation_or_finishes() =>
        FaultMatrix.RunAsync(Fault.Fail, atLeast: 10, async point =>
        {
            using var runtime = Runtime();
            using var world = new World(Directory.CreateDirectory(Path.Combine(_directory, $"f{point.Number}")).FullName, runtime);
            await world.DeployAsync(World.Service("blog", "v1"));
            runtime.Hook = point.Hook;
            if (!await point.BreaksAsync(() => world.DeployAsync(World.Service("blog", "v2"))))
                return;
            runtime.Hook = _ => Task.CompletedTask;
            // What fails in retire, after the switch, is mended later; everything before is undone.
            await world.RecoverAsync();
            var stored = Assert.Single(world.Registry.Components.List());
            Assert.Equal(point.Failure is null ? "v2" : "v1", stored.Definition.Image.Text[^2..]);
            Assert.Equal([stored.Instance.ToString()], await world.RunningAsync());
            Assert.Equal([stored.Instance.ToString()], await world.InstancesAsync());
            Assert.Equal(stored.Instance, world.Proxy.Targets["blog"]);
            Assert.Empty(world.Registry.Operations.Open());
        });

    [Fact]
    public async Task A_first_deploy_that_crashes_leaves_nothing()
    {
        using var runtime = Runtime();
        runtime.Crashing.Add("web");
        using var world = new World(_directory, runtime);
        var e = await Assert.ThrowsAsync<StepFailedException>(() => world.DeployAsync(World.Service("blog", "v1")));
        Assert.Equal(("health", true), (e.Step, e.Undone));
        Assert.Contains("exit code 1", e.Message, StringComparison.Ordinal);
        Assert.Contains("| listening on 8080", e.Message, StringComparison.Ordinal);
        Assert.Empty(await world.InstancesAsync());
        Assert.Empty(world.Registry.Components.List());
        Assert.Empty(world.Registry.Ports.All());
    }

    [Fact]
    public async Task An_undo_that_fails_is_tried_again_by_itself_and_before_the_next_deploy()
    {
        using var runtime = Runtime();
        using var world = new World(_directory, runtime);
        await world.DeployAsync(World.Service("blog", "v1"));
        runtime.Crashing.Add("web");
        runtime.Hook = what => what == "remove" ? throw new McpException(ErrorCode.Of("test"), "podman is away") : Task.CompletedTask;
        var e = await Assert.ThrowsAsync<StepFailedException>(() => world.DeployAsync(World.Service("blog", "v2")));
        Assert.False(e.Undone);
        Assert.Single(world.Registry.Operations.Open());
        runtime.Crashing.Clear();
        runtime.Hook = _ => Task.CompletedTask;
        await world.DeployAsync(World.Service("blog", "v2"));
        // The number of the one that failed is not given again.
        Assert.Equal(["blog.web.3"], await world.InstancesAsync());
        Assert.Empty(world.Registry.Operations.Open());
    }

    [Fact]
    public async Task An_undeploy_after_a_failed_undo_is_the_last_word()
    {
        using var runtime = Runtime();
        using var world = new World(_directory, runtime);
        await world.DeployAsync(World.Service("blog", "v1"));
        runtime.Crashing.Add("web");
        runtime.Hook = what => what == "remove" ? throw new McpException(ErrorCode.Of("test"), "podman is away") : Task.CompletedTask;
        await Assert.ThrowsAsync<StepFailedException>(() => world.DeployAsync(World.Service("blog", "v2")));
        runtime.Hook = _ => Task.CompletedTask;
        await world.Undeployer.UndeployAsync(s_blog, default);
        await world.RecoverAsync();
        Assert.Empty(world.Registry.Components.List());
        Assert.Empty(await world.InstancesAsync());
        Assert.Empty(world.Registry.Operations.Open());
    }

    [Fact]
    public async Task A_request_that_is_delivered_late_does_not_bring_back_what_was_removed()
    {
        using var runtime = Runtime();
        using var world = new World(_directory, runtime);
        await world.Deployer.DeployAsync(World.Service("blog", "v1"), new DeployOptions(Number: new(1)), null, default);
        await world.Undeployer.UndeployAsync(Model.Names.Label.Parse("blog"), new(3), default);
        var second = new DeployOptions(Number: new(2));
        var late = await Assert.ThrowsAsync<McpException>(() => world.Deployer.DeployAsync(
            World.Service("blog", "v1"),
            second,
            null,
            default));
        Assert.Equal(ErrorCode.RequestSuperseded, late.Code);
        Assert.Empty(await world.InstancesAsync());
        await world.Deployer.DeployAsync(World.Service("blog", "v2"), new DeployOptions(Number: new(4)), null, default);
        late = await Assert.ThrowsAsync<McpException>(() => world.Undeployer.UndeployAsync(
            Model.Names.Label.Parse("blog"),
            new(3),
            default));
        Assert.Equal(ErrorCode.RequestSuperseded, late.Code);
        Assert.Equal(["blog.web.2"], await world.RunningAsync());
        // Who asks the agent itself is always in order.
        await world.DeployAsync(World.Service("blog", "v1"));
    }

    [Fact]
    public async Task An_undeploy_of_a_first_deploy_that_was_interrupted_is_the_last_word()
    {
        using var runtime = Runtime();
        using var before = new World(_directory, runtime);
        var point = new FaultPoint(Fault.Kill, 5);
        runtime.Hook = point.Hook;
        Assert.True(await point.BreaksAsync(() => before.DeployAsync(World.Service("blog", "v1"))));
        runtime.Hook = _ => Task.CompletedTask;
        using var after = new World(_directory, runtime);
        await after.Undeployer.UndeployAsync(s_blog, default);
        await after.RecoverAsync();
        Assert.Empty(await after.InstancesAsync());
        Assert.Empty(after.Registry.Operations.Open());
    }

    [Fact]
    public Task An_undeploy_killed_at_any_side_effect_is_finished() =>
        FaultMatrix.RunAsync(Fault.Kill, atLeast: 4, async point =>
        {
            using var runtime = Runtime();
            var directory = Directory.CreateDirectory(Path.Combine(_directory, $"{point.Number}")).FullName;
            using var before = new World(directory, runtime);
            await before.DeployAsync(World.Service("blog", "v1"));
            runtime.Hook = point.Hook;
            if (!await point.BreaksAsync(() => before.Undeployer.UndeployAsync(s_blog, default)))
                return;
            runtime.Hook = _ => Task.CompletedTask;
            using var after = new World(directory, runtime);
            await after.RecoverAsync();
            Assert.Empty(await after.InstancesAsync());
            Assert.Empty(after.Registry.Components.List());
            Assert.Empty(after.Registry.Ports.All());
            Assert.Empty(after.Registry.Operations.Open());
        });

    private static FakeRuntime Runtime() => new(TimeProvider.System) { Images = { "example.com/hello:v1", "example.com/hello:v2" } };

    private static async Task ServedAsync(World world) =>
        Assert.Equal(InstanceState.Running, (await world.Runtime.InspectAsync(world.Proxy.Targets["blog"], default))?.State);
}
