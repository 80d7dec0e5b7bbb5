using Mcp.Daemon.Operations;
using Mcp.Model.Errors;
using Mcp.Model.Events;
using Mcp.Model.Instances;
using Mcp.Model.Names;
using Mcp.TestKit.Fakes;

namespace Mcp.UnitTests.Agent;

/// <summary>Who stops waiting for the change before theirs has asked for nothing.</summary>
public sealed class PatienceTests : IDisposable
{
    private static readonly Label s_blog = Label.Parse("blog");
    private readonly string _directory = Directory.CreateTempSubdirectory("mcp-patience").FullName;
    private readonly FakeRuntime _runtime = new(TimeProvider.System) { Images = { "example.com/hello:v1", "example.com/hello:v2" } };

    public void Dispose()
    {
        _runtime.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    [Theory]
    [InlineData("undeploy")]
    [InlineData("start")]
    [InlineData("stop")]
    [InlineData("restart")]
    public async Task What_still_waits_is_taken_back_and_changes_nothing(string what)
    {
        using var world = new World(_directory, _runtime);
        await world.DeployAsync(World.Service("blog", "v1"));
        var goOn = Held();
        var deploy = world.DeployAsync(World.Service("blog", "v2"));
        using var patience = new CancellationTokenSource();
        var waiting = AskAsync(world, what, patience.Token);
        Assert.False(waiting.IsCompleted);
        await patience.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);
        goOn.SetResult();
        await deploy;
        Assert.Equal(["blog.web.2"], await world.RunningAsync());
        Assert.Equal(DesiredState.Running, Assert.Single(world.Registry.Components.List()).Desired);
        var told = world.Registry.Events.After(0, 100).Select(e => e.Kind).ToList();
        Assert.DoesNotContain(EventKind.UndeployDone, told);
        Assert.DoesNotContain(EventKind.ComponentStopped, told);
        Assert.DoesNotContain(EventKind.ComponentRestarted, told);
    }

    [Theory]
    [InlineData("undeploy")]
    [InlineData("stop")]
    [InlineData("restart")]
    public async Task What_has_begun_goes_on(string what)
    {
        using var world = new World(_directory, _runtime);
        await world.DeployAsync(World.Service("blog", "v1"));
        var begun = new TaskCompletionSource();
        var goOn = new TaskCompletionSource();
        _runtime.Hook = async step =>
        {
            if (step != "stop")
                return;
            begun.TrySetResult();
            await goOn.Task;
        };
        using var patience = new CancellationTokenSource();
        var going = AskAsync(world, what, patience.Token);
        await begun.Task.WaitAsync(TimeSpan.FromMinutes(1), TestContext.Current.CancellationToken);
        await patience.CancelAsync();
        goOn.SetResult();
        await going;
        Assert.Equal(what == "restart" ? ["blog.web.1"] : [], await world.RunningAsync());
    }

    [Fact]
    public async Task A_runtime_that_falls_silent_after_an_operation_does_not_make_it_fail()
    {
        using var world = new World(_directory, _runtime);
        await world.DeployAsync(World.Service("blog", "v1"));
        await world.Reconciler.LookAsync(default);
        _runtime.Mute = new McpException(ErrorCode.PodmanFailed, "podman does not answer");
        await world.Reconciler.LookAsync(default);
        Assert.NotNull(Assert.Single(world.Reconciler.Sight.All).Silent);
    }

    // The next deploy stays where it pulls.
    private TaskCompletionSource Held()
    {
        var goOn = new TaskCompletionSource();
        _runtime.Hook = step => step == "pull" ? goOn.Task : Task.CompletedTask;
        return goOn;
    }

    private static async Task AskAsync(World world, string what, CancellationToken patience)
    {
        using var work = new Work(what, "ann") { Patience = patience };
        await (what switch
        {
            "undeploy" => world.Undeployer.UndeployAsync(s_blog, number: null, work, default),
            "start" => world.Control.StartAsync(s_blog, null, work, default),
            "stop" => world.Control.StopAsync(s_blog, null, work, default),
            _ => world.Control.RestartAsync(s_blog, null, work, default),
        });
    }
}
