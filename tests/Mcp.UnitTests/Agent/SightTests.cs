using Mcp.Model.Definition;
using Mcp.Model.Errors;
using Mcp.Model.Events;
using Mcp.Model.Names;
using Mcp.TestKit.Fakes;
using Microsoft.Extensions.Time.Testing;

namespace Mcp.UnitTests.Agent;

/// <summary>A runtime that does not answer hides only what it runs itself.</summary>
public sealed class SightTests : IDisposable
{
    private static readonly McpException s_silence = new(ErrorCode.PodmanFailed, "podman did not answer within 10 s");
    private readonly string _directory = Directory.CreateTempSubdirectory("mcp-sight").FullName;
    private readonly FakeTimeProvider _time = new(TimeProvider.System.GetUtcNow());
    private readonly FakeRuntime _containers;
    private readonly FakeRuntime _vms;

    public SightTests()
    {
        _containers = new FakeRuntime(_time) { Images = { "example.com/hello:v1", "example.com/hello:v2" } };
        _vms = new FakeRuntime(_time) { Name = "microvm", Images = { "example.com/hello:v1" } };
    }

    public void Dispose()
    {
        _containers.Dispose();
        _vms.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    [Fact]
    public async Task What_a_silent_runtime_said_last_is_told_with_its_time_and_others_are_repaired()
    {
        using var world = new World(_directory, _containers, vms: _vms, time: _time);
        await world.DeployAsync(World.Service("blog", "v1"));
        await world.DeployAsync(World.Service("guest", "v1", "runtime = \"microvm\""));
        await world.Reconciler.RefreshAsync(default);
        var answered = _time.GetUtcNow();
        _time.Advance(TimeSpan.FromMinutes(1));
        _containers.Mute = s_silence;
        _vms.Kill(InstanceName.Parse("guest.web.1"), 1);
        await world.Reconciler.RoundAsync(default);
        await world.Reconciler.RoundAsync(default);
        Assert.Empty(world.Reconciler.Drift);
        Assert.Equal(["guest.web.1"], (await _vms.ListAsync(default)).Where(i => i.ExitCode is null).Select(i => i.Name.ToString()));
        var status = world.Services.Status(null);
        var blog = status.Components.Single(c => c.Stored.Service.Text == "blog");
        Assert.Equal("blog.web.1", blog.Observed?.Name.ToString());
        Assert.Equal(answered, blog.Sight?.At);
        Assert.NotNull(blog.Sight?.Silent);
        Assert.Null(status.Components.Single(c => c.Stored.Service.Text == "guest").Sight?.Silent);
        Assert.Single(status.Silent);
        var told = Assert.Single(world.Registry.Events.Of([EventKind.RuntimeSilent]));
        Assert.Contains("did not answer", told.Detail, StringComparison.Ordinal);
        // Whoever asks for it to be seen to hears that it could not be.
        await Assert.ThrowsAsync<McpException>(() => world.Reconciler.MendAsync(dryRun: false, default));
        _containers.Mute = null;
        await world.Reconciler.RoundAsync(default);
        Assert.Single(world.Registry.Events.Of([EventKind.RuntimeAnswers]));
        Assert.Empty(world.Services.Status(null).Silent);
    }

    [Fact]
    public async Task What_a_deploy_keeps_is_started_again_while_it_goes_on()
    {
        using var world = new World(_directory, _containers, time: _time);
        await world.DeployAsync(Two("v1"));
        var (reached, goOn) = (new TaskCompletionSource(), new TaskCompletionSource());
        _containers.Hook = async step =>
        {
            if (step == "pull")
            {
                reached.TrySetResult();
                await goOn.Task;
            }
        };
        var deploy = world.DeployAsync(Two("v2"));
        await reached.Task.WaitAsync(TimeSpan.FromMinutes(1), TestContext.Current.CancellationToken);
        _containers.Kill(InstanceName.Parse("blog.db.1"), 1);
        _containers.Kill(InstanceName.Parse("blog.web.1"), 1);
        await world.Reconciler.RoundAsync(default);
        // The one that is being replaced is the deploy's, and no drift.
        Assert.Empty(world.Services.Status(null).Drift);
        Assert.Equal(["blog.db.1"], await world.RunningAsync());
        goOn.SetResult();
        await deploy;
        Assert.Equal(["blog.db.1", "blog.web.2"], await world.RunningAsync());
    }

    [Fact]
    public async Task The_next_operation_waits_for_a_repair_beside_the_one_before()
    {
        using var world = new World(_directory, _containers, time: _time);
        var blog = Label.Parse("blog");
        using var beside = world.Locks.TryBeside(blog);
        Assert.NotNull(beside);
        Assert.Null(world.Locks.TryBeside(blog));
        Assert.Null(world.Locks.TryTake(blog));
        var next = world.Locks.TakeAsync(blog, default);
        Assert.False(next.IsCompleted);
        beside.Dispose();
        (await next.WaitAsync(TimeSpan.FromMinutes(1), TestContext.Current.CancellationToken)).Dispose();
        Assert.Equal(0, world.Locks.Count);
    }

    [Fact]
    public async Task Whoever_stops_waiting_for_a_repair_leaves_the_service_free()
    {
        using var world = new World(_directory, _containers, time: _time);
        var blog = Label.Parse("blog");
        using var stop = new CancellationTokenSource();
        using (world.Locks.TryBeside(blog))
        {
            var next = world.Locks.TakeAsync(blog, stop.Token);
            await stop.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => next);
        }

        world.Locks.TryTake(blog)!.Dispose();
        Assert.Equal(0, world.Locks.Count);
    }

    private static ServiceDefinition Two(string tag) => ServiceFile.Parse($"""
        name = "blog"
        [[components]]
        name = "web"
        image = "example.com/hello:{tag}"
        watch = "0s"
        [[components]]
        name = "db"
        image = "example.com/hello:v1"
        watch = "0s"
        """, "test");
}
