using System.Diagnostics;
using Mcp.Daemon.Operations;
using Mcp.Model.Definition;
using Mcp.Model.Errors;
using Mcp.Model.Events;
using Mcp.Model.Names;
using Mcp.TestKit.Fakes;
using Microsoft.Extensions.Time.Testing;

namespace Mcp.UnitTests.Agent;

/// <summary>After the deploy: what is not well any more is told, started again where that helps, and left alone where it harms.</summary>
public sealed class HealthKeeperTests : IDisposable
{
    private const string Check = "health = { http = \"/\", port = 8080, interval = \"20ms\", timeout = \"1s\", retries = 100 }";
    private static readonly Label s_blog = Label.Parse("blog");
    private static readonly Label s_web = Label.Parse("web");
    private readonly string _directory = Directory.CreateTempSubdirectory("mcp-health").FullName;
    private readonly FakeTimeProvider _time = new(TimeProvider.System.GetUtcNow());
    private readonly FakeRuntime _runtime;

    public HealthKeeperTests() => _runtime = new FakeRuntime(_time) { Images = { "example.com/hello:v1", "example.com/hello:v2" } };

    public void Dispose()
    {
        _runtime.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    [Fact]
    public async Task What_answers_badly_three_times_in_a_row_is_told_once_and_started_again()
    {
        using var world = await DeployedAsync(Check);
        await RoundsAsync(world, 1);
        _runtime.Sick.Add("web");
        await RoundsAsync(world, 2);
        Assert.Null(world.Health.Of(s_blog, s_web));
        var stops = _runtime.Graces.Count;
        await RoundsAsync(world, 1);
        Assert.Contains("HTTP 500", world.Health.Of(s_blog, s_web), StringComparison.Ordinal);
        Assert.Equal([EventKind.ComponentUnhealthy, EventKind.ComponentHealed], Told(world));
        Assert.Equal(stops + 1, _runtime.Graces.Count);
        // With the time to end that it always has.
        Assert.Equal(TimeSpan.FromSeconds(10), _runtime.Graces.Last());
        _runtime.Sick.Clear();
        await RoundsAsync(world, 1);
        Assert.Null(world.Health.Of(s_blog, s_web));
        Assert.Equal([EventKind.ComponentUnhealthy, EventKind.ComponentHealed, EventKind.ComponentWell], Told(world));
    }

    [Fact]
    public async Task What_the_image_asks_is_asked_before_the_switch_and_after_it_and_only_told()
    {
        _runtime.OwnChecks["web"] = new HealthCheck
        {
            Exec = ["ask"],
            Interval = TimeSpan.FromMilliseconds(20),
            Retries = 3,
            Every = TimeSpan.FromSeconds(10),
        };
        using var world = await DeployedAsync("");
        await RoundsAsync(world, 1);
        _runtime.Sick.Add("web");
        var failure = await Assert.ThrowsAsync<StepFailedException>(() => world.DeployAsync(World.Service("blog", "v2")));
        Assert.Contains("the image's HEALTHCHECK: exec ask", failure.Message, StringComparison.Ordinal);
        Assert.Equal(["blog.web.1"], await world.RunningAsync());
        var stops = _runtime.Graces.Count;
        await RoundsAsync(world, 5);
        Assert.Equal("exec: exit code 1\nthe image's HEALTHCHECK: exec ask: exit code 1 a secret", world.Health.Of(s_blog, s_web));
        Assert.Equal(stops, _runtime.Graces.Count);
    }

    [Fact]
    public async Task One_that_cannot_be_started_again_is_unhealthy_and_not_healed()
    {
        using var world = await DeployedAsync(Check);
        await RoundsAsync(world, 1);
        _runtime.Sick.Add("web");
        _runtime.Hook = at => at == "start" ? throw new IOException("no") : Task.CompletedTask;
        await RoundsAsync(world, 3);
        Assert.Equal([EventKind.ComponentUnhealthy, EventKind.ComponentUnhealthy], Told(world));
        Assert.Equal("blog.web.1 was stopped and could not be started again: no", world.Registry.Events.After(0, 1000)[^1].Detail);
    }

    [Theory]
    [InlineData("volumes = [\"DIR:/data\"]\n" + Check, "it has data")]
    [InlineData("health = { http = \"/\", port = 8080, interval = \"20ms\", on_unhealthy = \"report\" }", "its file says so")]
    [InlineData("", "nobody has written a check")]
    public async Task It_is_only_told_where(string extra, string why)
    {
        using var world = await DeployedAsync(extra.Replace("DIR", _directory, StringComparison.Ordinal));
        await RoundsAsync(world, 1);
        _runtime.Sick.Add("web");
        if (extra.Length == 0)
            _runtime.Deafen(InstanceName.Parse("blog.web.1"));
        var stops = _runtime.Graces.Count;
        await RoundsAsync(world, 6);
        Assert.True(stops == _runtime.Graces.Count, why);
        Assert.Equal([EventKind.ComponentUnhealthy], Told(world));
    }

    [Fact]
    public async Task With_data_it_is_started_again_where_its_file_says_so()
    {
        var health = Check.Replace(" }", ", on_unhealthy = \"restart\" }", StringComparison.Ordinal);
        using var world = await DeployedAsync($"volumes = [\"{_directory}:/data\"]\n{health}");
        await RoundsAsync(world, 1);
        _runtime.Sick.Add("web");
        await RoundsAsync(world, 3);
        Assert.Equal([EventKind.ComponentUnhealthy, EventKind.ComponentHealed], Told(world));
        // It recovers: five minutes long its answers do not count.
        await RoundsAsync(world, 29);
        Assert.Equal([EventKind.ComponentUnhealthy, EventKind.ComponentHealed], Told(world));
        await RoundsAsync(world, 5);
        Assert.Equal([EventKind.ComponentUnhealthy, EventKind.ComponentHealed, EventKind.ComponentHealed], Told(world));
    }

    [Fact]
    public async Task After_five_restarts_without_having_been_well_it_is_told_only()
    {
        using var world = await DeployedAsync(Check);
        await RoundsAsync(world, 1);
        _runtime.Sick.Add("web");
        await RoundsAsync(world, 60);
        Assert.Equal(5, Told(world).Count(k => k == EventKind.ComponentHealed));
        Assert.Equal(1, Told(world).Count(k => k == EventKind.ComponentUnhealthy));
        // Well once, it has five again.
        _runtime.Sick.Clear();
        await RoundsAsync(world, 1);
        _runtime.Sick.Add("web");
        await RoundsAsync(world, 3);
        Assert.Equal(6, Told(world).Count(k => k == EventKind.ComponentHealed));
    }

    [Fact]
    public async Task One_that_has_never_been_well_has_its_time_to_get_there()
    {
        using var world = await DeployedAsync(Check.Replace(" }", ", start_period = \"2m\" }", StringComparison.Ordinal));
        _runtime.Sick.Add("web");
        await RoundsAsync(world, 12);
        Assert.Empty(Told(world));
        var (service, web) = (world.Registry.Components.List()[0].Service, Label.Parse("web"));
        Assert.Contains("500", world.Health.StartOf(service, web), StringComparison.Ordinal);
        Assert.Null(world.Health.Of(service, web));
        await RoundsAsync(world, 4);
        Assert.Equal([EventKind.ComponentUnhealthy, EventKind.ComponentHealed], Told(world));
    }

    [Fact]
    public async Task Where_twenty_fail_at_once_none_is_started_again_and_the_node_is_told_once()
    {
        using var world = new World(_directory, _runtime, time: _time);
        for (var i = 0; i < 20; i++)
            await world.DeployAsync(Service($"s{i}", Check));
        await RoundsAsync(world, 1);
        _runtime.Sick.Add("web");
        await RoundsAsync(world, 10);
        Assert.DoesNotContain(EventKind.ComponentHealed, Told(world));
        Assert.Equal(20, Told(world).Count(k => k == EventKind.ComponentUnhealthy));
        Assert.Single(world.Registry.Events.After(0, 1000), e => e.Kind == EventKind.NodeOverloaded);
        _runtime.Sick.Clear();
        await RoundsAsync(world, 1);
        Assert.Single(world.Registry.Events.After(0, 1000), e => e.Kind == EventKind.NodeSteady);
    }

    [Fact]
    public async Task What_a_deploy_holds_is_left_to_it()
    {
        using var world = await DeployedAsync(Check);
        await RoundsAsync(world, 1);
        _runtime.Sick.Add("web");
        await RoundsAsync(world, 2);
        using (await world.Locks.TakeAsync(s_blog, default))
            await RoundsAsync(world, 3);
        Assert.Equal([EventKind.ComponentUnhealthy], Told(world));
        await RoundsAsync(world, 1);
        Assert.Equal([EventKind.ComponentUnhealthy, EventKind.ComponentHealed], Told(world));
    }

    [Fact]
    public async Task Questions_that_come_late_blame_nobody()
    {
        using var world = await DeployedAsync(Check);
        await RoundsAsync(world, 1);
        _runtime.Sick.Add("web");
        for (var i = 0; i < 6; i++)
        {
            _time.Advance(TimeSpan.FromSeconds(20));
            await world.Health.RoundAsync(default);
        }

        Assert.Empty(Told(world));
    }

    [Fact]
    public async Task Checks_that_hang_hold_up_nobody_elses()
    {
        const string exec =
            "health = { exec = [\"ask\"], interval = \"20ms\", timeout = \"5m\", every = \"1s\", on_unhealthy = \"report\" }";
        using var world = await DeployedAsync(exec);
        for (var i = 0; i < 6; i++)
            await world.DeployAsync(Service($"hangs{i}", exec));
        await RoundsAsync(world, 1);
        using var end = new CancellationTokenSource();
        _runtime.Exec = (name, ct) => name.Service == s_blog ? Task.CompletedTask : Task.Delay(Timeout.Infinite, ct);
        _runtime.Sick.Add("web");
        for (var clock = Stopwatch.StartNew(); clock.Elapsed < TimeSpan.FromSeconds(20) && world.Health.Of(s_blog, s_web) is null;)
        {
            // The others go on meanwhile.
            await Task.Delay(5, end.Token);
            _time.Advance(TimeSpan.FromSeconds(1));
            var asking = world.Health.RoundAsync(end.Token);
            while (!asking.IsCompleted)
            {
                _time.Advance(TimeSpan.FromMilliseconds(200));
                await Task.WhenAny(asking, Task.Delay(5, end.Token));
            }

            await asking;
        }

        Assert.NotNull(world.Health.Of(s_blog, s_web));
        await end.CancelAsync();
    }

    [Fact]
    public async Task What_has_ended_or_was_stopped_or_a_runtime_that_is_silent_is_not_unhealthy()
    {
        using var world = await DeployedAsync($"restart = \"no\"\n{Check}");
        await RoundsAsync(world, 1);
        _runtime.Mute = new McpException(ErrorCode.PodmanFailed, "silent");
        await RoundsAsync(world, 4);
        _runtime.Mute = null;
        _runtime.Kill(InstanceName.Parse("blog.web.1"), 1);
        await RoundsAsync(world, 4);
        await world.Control.StopAsync(s_blog, null, default);
        await RoundsAsync(world, 4);
        Assert.Empty(Told(world));
    }

    private async Task<World> DeployedAsync(string extra)
    {
        var world = new World(_directory, _runtime, time: _time);
        await world.DeployAsync(Service("blog", extra));
        return world;
    }

    private static ServiceDefinition Service(string name, string extra) => World.Service(name, "v1", extra);

    // A second each, and questions every ten.
    private async Task RoundsAsync(World world, int questions)
    {
        for (var second = 0; second < questions * 10; second++)
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            await world.Health.RoundAsync(default);
        }
    }

    private static List<EventKind> Told(World world) => [.. world.Registry.Events.After(0, 1000)
        .Select(e => e.Kind)
        .Where(k => k == EventKind.ComponentUnhealthy || k == EventKind.ComponentHealed || k == EventKind.ComponentWell)];
}
