using Mcp.Agent.Deploy;
using Mcp.Agent.Registry;
using Mcp.Daemon.Operations;
using Mcp.Daemon.Storage;
using Mcp.Model.Definition;
using Mcp.Model.Errors;
using Mcp.Model.Names;
using Mcp.TestKit.Fakes;

namespace Mcp.UnitTests.Agent;

/// <summary>Deploys that something crosses: the agent is told to end, a row of another version is in the way,
/// what was before cannot come back.</summary>
public sealed class DeployEdgeTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("mcp-edges").FullName;
    private readonly FakeRuntime _runtime = new(TimeProvider.System) { Images = { "example.com/hello:v1", "example.com/hello:v2" } };

    public void Dispose()
    {
        _runtime.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    [Theory]
    [InlineData("drain", true)]
    [InlineData("stopped", true)]
    [InlineData("run", false)]
    public async Task A_deploy_whose_agent_is_told_to_end_is_not_taken_back_and_goes_on_later(string at, bool beside)
    {
        using var world = new World(_directory, _runtime);
        var extra = beside ? "" : "ports = [\"127.0.0.1:28082:8080\"]";
        await world.DeployAsync(World.Service("blog", "v1", extra));
        using var stop = new CancellationTokenSource();
        _runtime.Hook = async what =>
        {
            if (what == at)
                await stop.CancelAsync();
            stop.Token.ThrowIfCancellationRequested();
        };
        var wanted = World.Service("blog", "v2", extra);
        var e = await Assert.ThrowsAsync<McpException>(() => world.Deployer.DeployAsync(wanted, DeployOptions.Default, null, stop.Token));
        Assert.Equal(ErrorCode.AgentStopping, e.Code);
        _runtime.Hook = _ => Task.CompletedTask;
        using var next = new World(_directory, _runtime);
        await next.RecoverAsync();
        Assert.Equal(["blog.web.2"], await next.InstancesAsync());
        Assert.Equal("v2", Assert.Single(next.Registry.Components.List()).Definition.Image.Text[^2..]);
        Assert.Empty(next.Registry.Operations.Open());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_row_that_cannot_be_read_is_deployed_over(bool fails)
    {
        using var world = new World(_directory, _runtime);
        await world.DeployAsync(World.Service("blog", "v1"));
        using (var database = Database.Open(Path.Combine(_directory, "registry.db"), AgentRegistry.Owner))
        {
            database.Write(connection => connection.Run("""
                UPDATE components SET definition = json_set(definition, '$.update', 'canary')
                """));
        }

        Assert.Contains("cannot read: update", Assert.Single(world.Registry.Components.List()).Trouble, StringComparison.Ordinal);
        if (fails)
            _runtime.Crashing.Add("web");
        var failure = await Record.ExceptionAsync(() => world.DeployAsync(World.Service("blog", "v2")));
        Assert.Equal(fails ? typeof(StepFailedException) : null, failure?.GetType());
        Assert.Empty(world.Registry.Operations.Open());
        Assert.Equal([fails ? "blog.web.1" : "blog.web.2"], await world.RunningAsync());
        Assert.Equal(fails, Assert.Single(world.Registry.Components.List()).Trouble.Length > 0);
    }

    [Fact]
    public async Task An_undo_ends_and_tells_when_what_was_before_cannot_be_started_again()
    {
        using var world = new World(_directory, _runtime);
        var extra = "ports = [\"127.0.0.1:28083:8080\"]";
        await world.DeployAsync(World.Service("blog", "v1", extra));
        _runtime.Crashing.Add("web");
        _runtime.Hook = what => what == "start"
            ? throw new McpException(ErrorCode.InstanceStart, "its directory is gone")
            : Task.CompletedTask;
        var e = await Assert.ThrowsAsync<StepFailedException>(() => world.DeployAsync(World.Service("blog", "v2", extra)));
        Assert.True(e.Undone);
        Assert.Contains("its directory is gone", e.Reason.Hint, StringComparison.Ordinal);
        Assert.Empty(world.Registry.Operations.Open());
        Assert.Empty(world.Registry.Holds.All());
        _runtime.Crashing.Clear();
        _runtime.Hook = _ => Task.CompletedTask;
        await world.RecoverAsync();
        Assert.Equal(["blog.web.1"], await world.RunningAsync());
    }

    [Fact]
    public async Task A_removed_component_whose_end_failed_once_is_ended_later()
    {
        using var world = new World(_directory, _runtime);
        await world.DeployAsync(Two("v1"));
        _runtime.Hook = what => what == "stop" ? throw new McpException(ErrorCode.Of("test"), "podman is away") : Task.CompletedTask;
        await world.DeployAsync(World.Service("blog", "v1"));
        Assert.Contains("blog.side.1", await world.InstancesAsync());
        _runtime.Hook = _ => Task.CompletedTask;
        await world.RecoverAsync();
        Assert.Equal(["blog.web.1"], await world.InstancesAsync());
    }

    [Fact]
    public async Task One_component_that_is_deployed_alone_keeps_its_place()
    {
        using var world = new World(_directory, _runtime);
        await world.DeployAsync(Two("v1"));
        await world.Deployer.DeployAsync(Two("v2"), new DeployOptions(Label.Parse("side")), null, default);
        Assert.Equal(["side 2", "web 1"], world.Registry.Components.List().Select(c => $"{c.Definition.Name} {c.Generation}"));
    }

    [Fact]
    public async Task A_service_that_is_to_be_inactive_is_stopped_and_what_may_end_is_not_made_anew()
    {
        using var world = new World(_directory, _runtime);
        var once = World.Service("blog", "v1", "restart = \"no\"");
        await world.DeployAsync(once);
        await world.DeployAsync(once with { Active = false });
        Assert.Empty(await world.RunningAsync());
        await world.Control.StartAsync(Label.Parse("blog"), null, default);
        await world.DeployAsync(once with { Active = false });
        Assert.Empty(await world.RunningAsync());
        await world.DeployAsync(once);
        var running = Assert.Single(await world.RunningAsync());
        _runtime.Kill(InstanceName.Parse(running), 0);
        await world.DeployAsync(once);
        Assert.Equal([running], await world.InstancesAsync());
    }

    [Fact]
    public async Task A_volume_whose_directory_is_missing_stops_nothing()
    {
        using var world = new World(_directory, _runtime);
        await world.DeployAsync(World.Service("blog", "v1"));
        var wanted = World.Service("blog", "v2", $"volumes = [\"{_directory}/missing:/data\"]");
        var e = await Assert.ThrowsAsync<McpException>(() => world.DeployAsync(wanted));
        Assert.Equal(ErrorCode.VolumeMissing, e.Code);
        Assert.Equal(["blog.web.1"], await world.RunningAsync());
    }

    private static ServiceDefinition Two(string tag) => ServiceFile.Parse($"""
        name = "blog"
        [[components]]
        name = "side"
        image = "example.com/hello:{tag}"
        watch = "0s"
        [[components]]
        name = "web"
        image = "example.com/hello:{tag}"
        watch = "0s"
        [[components.routes]]
        name = "http"
        port = 8080
        """, "test");
}
