using Mcp.Agent.Deploy;
using Mcp.Daemon.Operations;
using Mcp.Model.Definition;
using Mcp.Model.Names;
using Mcp.TestKit.Fakes;

namespace Mcp.UnitTests.Agent;

/// <summary>"Deployed" means that it serves: what ends before it is well, or right after it took over, is taken back.</summary>
public sealed class WatchTests : IDisposable
{
    private const string Beside = "";
    private const string StopFirst = "update = \"stop-first\"";
    private const string Route = "[[components.routes]]\nname = \"http\"\nport = 8080";
    private readonly string _directory = Directory.CreateTempSubdirectory("mcp-watch").FullName;
    private readonly FakeRuntime _runtime = new(TimeProvider.System) { Images = { "example.com/hello:v1", "example.com/hello:v2" } };

    public static TheoryData<string, string> Shapes => new()
    {
        { Beside, "" },
        { Beside, Route },
        { StopFirst, "" },
        { StopFirst, Route },
    };

    public void Dispose()
    {
        _runtime.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public async Task What_ends_right_after_it_took_over_is_taken_back_and_what_was_before_serves_again(string update, string route)
    {
        using var world = new World(_directory, _runtime);
        await world.DeployAsync(Service("v1", update, route));
        var failed = await Assert.ThrowsAsync<StepFailedException>(() => DeployAsync(
            world,
            Service("v2", update, route, "2s"),
            () => Kill(2, 3)));
        Assert.Equal(("watch", true), (failed.Step, failed.Undone));
        Assert.Contains("blog.web.2 ended with exit code 3", failed.Message, StringComparison.Ordinal);
        Assert.Contains("s after it took over", failed.Message, StringComparison.Ordinal);
        await IsAsync(world, 1, "v1");
        // One that never stopped was not touched; the other says so.
        Assert.Contains(update.Length == 0 ? "blog.web.1 was not touched" : "started again", failed.Reason.Hint, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_ends_right_after_its_first_deploy_leaves_nothing()
    {
        using var world = new World(_directory, _runtime);
        await Assert.ThrowsAsync<StepFailedException>(() => DeployAsync(world, Service("v1", Beside, Route, "2s"), () => Kill(1, 0)));
        Assert.Empty(await world.InstancesAsync());
        Assert.Empty(world.Registry.Components.List());
        Assert.Empty(world.Registry.Ports.All());
    }

    [Theory]
    [InlineData(Beside)]
    [InlineData(StopFirst)]
    public async Task What_answers_badly_three_times_in_a_row_is_taken_back(string update)
    {
        using var world = new World(_directory, _runtime);
        var check = "health = { http = \"/\", port = 8080, interval = \"20ms\" }";
        await world.DeployAsync(Service("v1", update, $"{check}\n{Route}"));
        var wanted = Service("v2", update, $"{check}\n{Route}", "3s");
        var failed = await Assert.ThrowsAsync<StepFailedException>(() => DeployAsync(
            world,
            wanted,
            () => _runtime.Sick.Add("web"),
            _runtime.Sick.Clear));
        Assert.Contains("was not well 3 times in a row after it took over", failed.Message, StringComparison.Ordinal);
        Assert.Contains("HTTP 500", failed.Message, StringComparison.Ordinal);
        await IsAsync(world, 1, "v1");
    }

    [Theory]
    [InlineData("no", 0, true)]
    [InlineData("on-failure", 0, true)]
    [InlineData("no", 1, false)]
    [InlineData("unless-stopped", 0, false)]
    public async Task One_that_has_done_what_it_was_for_is_finished_and_each_time_alike(string restart, int exitCode, bool goes)
    {
        foreach (var whileServing in (bool[])[false, true])
        {
            using var runtime = new FakeRuntime(TimeProvider.System) { Images = { "example.com/hello:v1" } };
            using var world = new World(Directory.CreateDirectory(Path.Combine(_directory, $"{whileServing}")).FullName, runtime);
            var watch = whileServing ? "1s" : "200ms";
            var service = Service("v1", $"restart = \"{restart}\"", "", watch);
            void Ends() => runtime.Kill(InstanceName.Parse("blog.web.1"), exitCode);
            var gate = whileServing ? "watch" : "health";
            var deploy = world.Deployer.DeployAsync(service, DeployOptions.Default, (step, mark, _) =>
            {
                if (step == gate && mark == StepMark.Started)
                    Ends();
            }, default);
            if (!goes && !whileServing && restart == "unless-stopped")
            {
                // It is started again, and runs.
                await deploy;
                continue;
            }

            if (goes)
                await deploy;
            else
                await Assert.ThrowsAsync<StepFailedException>(() => deploy);
        }
    }

    [Fact]
    public async Task One_that_ends_before_it_is_well_is_started_again_as_its_restart_policy_says()
    {
        using var world = new World(_directory, _runtime);
        _runtime.Crashing.Add("web");
        await world.Deployer.DeployAsync(Service("v1", Beside, Route), DeployOptions.Default, (step, mark, detail) =>
        {
            if (step == "health" && mark == StepMark.Progress && detail.Contains("is started again", StringComparison.Ordinal))
                _runtime.Crashing.Clear();
        }, default);
        await IsAsync(world, 1, "v1");
    }

    [Theory]
    [InlineData("no", false)]
    [InlineData("unless-stopped", true)]
    public async Task One_that_ends_while_the_others_are_waited_for_does_not_take_over_as_it_is(string restart, bool isWellAgain)
    {
        using var world = new World(_directory, _runtime);
        await world.DeployAsync(Two("v1", restart));
        _runtime.Sick.Add("slow");
        var deploy = world.Deployer.DeployAsync(Two("v2", restart), DeployOptions.Default, (step, mark, detail) =>
        {
            // The first one was well; the second is still asked.
            if (step != "health" || mark != StepMark.Progress || !detail.StartsWith("slow: probe 1", StringComparison.Ordinal))
                return;
            Kill(2, 3);
            _runtime.Sick.Clear();
        }, default);
        if (isWellAgain)
            await deploy;
        else
            Assert.Equal("health", (await Assert.ThrowsAsync<StepFailedException>(() => deploy)).Step);
        var generation = isWellAgain ? 2 : 1;
        Assert.Equal([$"blog.slow.{generation}", $"blog.web.{generation}"], await world.RunningAsync());
    }

    [Theory]
    [InlineData(Beside)]
    [InlineData(StopFirst)]
    public async Task An_agent_that_was_killed_watches_for_the_rest_of_the_time(string update)
    {
        var killed = new World(_directory, _runtime);
        await killed.DeployAsync(Service("v1", update, Route));
        await KilledAsync(killed, Service("v2", update, Route, "30s"));
        Kill(2, 1);
        using var next = new World(_directory, _runtime);
        await next.RecoverAsync();
        await IsAsync(next, 1, "v1");
    }

    [Theory]
    [InlineData(Beside)]
    [InlineData(StopFirst)]
    public async Task After_a_reboot_only_what_took_over_starts_and_the_watch_is_over(string update)
    {
        var killed = new World(_directory, _runtime);
        await killed.DeployAsync(Service("v1", update, Route));
        await KilledAsync(killed, Service("v2", update, Route, "30s"));
        foreach (var instance in await _runtime.ListAsync(default))
            _runtime.Kill(instance.Name, 137);
        using var next = new World(_directory, _runtime, run: "two");
        await next.RecoverAsync();
        // As every agent does at its start.
        await next.Proxy.PushAsync(default);
        await IsAsync(next, 2, "v2");
    }

    private static ServiceDefinition Two(string tag, string restart) => ServiceFile.Parse($$"""
        name = "blog"
        [[components]]
        name = "web"
        image = "example.com/hello:{{tag}}"
        restart = "{{restart}}"
        watch = "0s"
        health = { http = "/", port = 8080, interval = "20ms", retries = 500 }
        [[components]]
        name = "slow"
        image = "example.com/hello:{{tag}}"
        watch = "0s"
        health = { http = "/", port = 8080, interval = "20ms" }
        """, "test");

    private static ServiceDefinition Service(string tag, string extra, string route, string watch = "0s") => ServiceFile.Parse($"""
        name = "blog"
        [[components]]
        name = "web"
        image = "example.com/hello:{tag}"
        watch = "{watch}"
        {extra}
        {route}
        """, "test");

    private static Task<bool> DeployAsync(World world, ServiceDefinition service, Action watched, Action? undone = null) =>
        world.Deployer.DeployAsync(service, DeployOptions.Default, (step, mark, _) =>
        {
            if (step == "watch" && mark == StepMark.Progress)
                watched();
            if (step == "watch" && mark == StepMark.Failed)
                undone?.Invoke();
        }, default);

    // In the middle of its watch.
    private static async Task KilledAsync(World world, ServiceDefinition service)
    {
        var watching = new TaskCompletionSource();
        using var kill = new CancellationTokenSource();
        var deploy = world.Deployer.DeployAsync(service, DeployOptions.Default, (step, mark, _) =>
        {
            if (step == "watch" && mark == StepMark.Progress)
                watching.TrySetResult();
        }, kill.Token);
        await watching.Task.WaitAsync(TimeSpan.FromMinutes(1), TestContext.Current.CancellationToken);
        await kill.CancelAsync();
        await Assert.ThrowsAnyAsync<Exception>(() => deploy);
        world.Dispose();
    }

    private static async Task IsAsync(World world, int generation, string tag)
    {
        var stored = Assert.Single(world.Registry.Components.List());
        Assert.Equal(($"blog.web.{generation}", tag), (stored.Instance.ToString(), stored.Definition.Image.Text[^2..]));
        Assert.Equal([stored.Instance.ToString()], await world.RunningAsync());
        Assert.Equal([stored.Instance.ToString()], await world.InstancesAsync());
        Assert.Equal(stored.Instance, world.Proxy.Targets["blog"]);
        Assert.Empty(world.Registry.Operations.Open());
        Assert.Empty(world.Registry.Holds.All());
    }

    private void Kill(int generation, int exitCode) =>
        _runtime.Kill(new InstanceName(Label.Parse("blog"), Label.Parse("web"), generation), exitCode);
}
