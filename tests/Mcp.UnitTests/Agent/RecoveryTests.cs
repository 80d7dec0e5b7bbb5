using Mcp.Agent.Recovery;
using Mcp.Model.Errors;
using Mcp.Model.Events;
using Mcp.Model.Health;
using Mcp.Model.Instances;
using Mcp.Model.Names;
using Mcp.TestKit.Fakes;
using Microsoft.Extensions.Time.Testing;

namespace Mcp.UnitTests.Agent;

public sealed class RecoveryTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("mcp-world").FullName;
    private readonly FakeRuntime _runtime = new(TimeProvider.System) { Images = { "example.com/hello:v1" } };

    public void Dispose()
    {
        _runtime.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    [Fact]
    public async Task A_lost_registry_is_rebuilt_from_what_runs_without_touching_it()
    {
        using (var before = new World(_directory, _runtime))
            await before.DeployAsync(World.Service("blog", "v1", "env = { COLOUR = \"blue\" }"));
        foreach (var file in Directory.GetFiles(_directory))
            File.Delete(file);
        using var after = new World(_directory, _runtime);
        await after.RecoverAsync();
        Assert.Single(after.Reconciler.Drift);
        Assert.Equal(["would adopt blog.web.1"], await after.Adoption.AdoptAsync(null, dryRun: true, default));
        Assert.Empty(after.Registry.Components.List());
        var started = (await _runtime.InspectAsync(InstanceName.Parse("blog.web.1"), default))!.Started;

        Assert.Equal(["adopted blog.web.1"], await after.Adoption.AdoptAsync(null, dryRun: false, default));

        await after.RecoverAsync();
        Assert.Empty(after.Reconciler.Drift);
        Assert.Equal("blue", Assert.Single(after.Registry.Components.List()).Definition.Env["COLOUR"]);
        Assert.Equal(InstanceName.Parse("blog.web.1"), Assert.Single(after.Registry.Ports.All()).Instance);
        Assert.Equal(started, (await _runtime.InspectAsync(InstanceName.Parse("blog.web.1"), default))!.Started);
        Assert.Empty(await after.Adoption.AdoptAsync(null, dryRun: false, default));
    }

    [Fact]
    public async Task One_that_takes_long_to_stop_delays_no_repair_of_another()
    {
        using var agent = new World(_directory, _runtime);
        await agent.DeployAsync(World.Service("slow", "v1"));
        await agent.DeployAsync(World.Service("blog", "v1"));
        agent.Registry.Components.SetDesired(Label.Parse("slow"), Label.Parse("web"), DesiredState.Stopped);
        var goOn = new TaskCompletionSource();
        _runtime.Hook = what => what == "stop" ? goOn.Task : Task.CompletedTask;
        await agent.Reconciler.RoundAsync(default);
        _runtime.Kill(InstanceName.Parse("blog.web.1"), 1);
        await agent.Reconciler.RoundAsync(default);
        Assert.Equal(["blog.web.1", "slow.web.1"], await agent.RunningAsync());
        goOn.SetResult();
        await agent.Reconciler.RoundAsync(default);
        Assert.Equal(["blog.web.1"], await agent.RunningAsync());
    }

    [Fact]
    public async Task What_cannot_be_repaired_is_told_once_and_so_is_that_it_was_repaired_also_over_a_restart()
    {
        var time = new FakeTimeProvider(new DateTimeOffset(2026, 11, 25, 12, 0, 0, TimeSpan.Zero));
        var web = InstanceName.Parse("blog.web.1");
        for (var start = 0; start < 2; start++)
        {
            using var agent = new World(_directory, _runtime, time: time);
            if (start == 0)
                await agent.DeployAsync(World.Service("blog", "v1"));
            _runtime.Kill(web, 1);
            _runtime.Hook = what => what == "start" ? throw new McpException(ErrorCode.InstanceStart, "no") : Task.CompletedTask;
            for (var round = 0; round < 3; round++)
            {
                await agent.Reconciler.MendAsync(dryRun: false, default);
                time.Advance(RestartBackoff.Longest);
            }

            _runtime.Hook = _ => Task.CompletedTask;
        }

        using var last = new World(_directory, _runtime, time: time);
        await last.Reconciler.MendAsync(dryRun: false, default);
        var told = last.Registry.Events.Of([EventKind.DriftFailed, EventKind.DriftMended]).Select(e => $"{e.Kind} {e.Detail}");
        Assert.Equal(
            ["drift.failed blog.web.1: ended with exit code 1: no", "drift.mended blog.web.1 ended with exit code 1 and was started again"],
            told);
    }

    [Fact]
    public async Task What_another_version_made_is_adopted_without_touching_it()
    {
        var component = World.Service("blog", "v1").Components[0];
        using (var before = new World(_directory, _runtime))
        {
            var instance = InstanceName.Parse("blog.web.4");
            before.Ports.Allocate(instance, component);
            await _runtime.RunAsync(before.Ports.Spec(instance, component, "of another version"), default);
            before.Ports.Release(instance);
        }

        using var after = new World(_directory, _runtime);
        var started = (await _runtime.InspectAsync(InstanceName.Parse("blog.web.4"), default))!.Started;
        Assert.Equal(["adopted blog.web.4"], await after.Adoption.AdoptAsync(null, dryRun: false, default));
        await after.RecoverAsync();
        Assert.Empty(after.Reconciler.Drift);
        Assert.Equal(started, (await _runtime.InspectAsync(InstanceName.Parse("blog.web.4"), default))!.Started);
    }

    [Fact]
    public async Task After_a_boot_services_come_up_stage_by_stage_and_stage_0_blocks()
    {
        using (var before = new World(_directory, _runtime))
        {
            foreach (var name in (string[])["other", "second", "first"])
                await before.DeployAsync(World.Service(name, "v1"));
        }

        foreach (var instance in await _runtime.ListAsync(default))
            _runtime.Kill(instance.Name, 255);
        _runtime.Crashing.Add("web");
        var stage = TimeSpan.FromSeconds(1);
        using var after = new World(
            _directory,
            _runtime,
            [new BootStage([Label.Parse("first")], stage), new BootStage([Label.Parse("second"), Label.Parse("unknown")], stage)]);
        using var over = new CancellationTokenSource();
        var started = new List<string>();
        after.Boot.Hold();
        var work = Task.WhenAll(after.Reconciler.RunAsync(World.Supervise, over.Token), after.Boot.RunAsync(over.Token));
        await UntilAsync(() => after.Registry.Events.After(0, 100).Any(e => e.Kind == EventKind.BootLate));
        Assert.Empty(await after.RunningAsync());
        Assert.All(after.Registry.Events.After(0, 100).Where(e => e.Kind == EventKind.DriftMended), e => Assert.Equal("first", e.Service));

        _runtime.Crashing.Clear();
        await UntilAsync(() => after.Registry.Events.After(0, 100).Any(e => e.Kind == EventKind.DriftMended && e.Service == "other"));
        Assert.Equal(3, (await after.RunningAsync()).Length);
        Assert.Equal("unknown", Assert.Single(after.Registry.Events.After(0, 100), e => e.Kind == EventKind.BootUnknown).Service);
        started.AddRange(after.Registry.Events.After(0, 100).Where(e => e.Kind == EventKind.DriftMended).Select(e => e.Service));
        Assert.True(
            started.LastIndexOf("first") < started.IndexOf("second") && started.IndexOf("second") < started.IndexOf("other"),
            string.Join(' ', started));
        await over.CancelAsync();
        await work;
    }

    private static async Task UntilAsync(Func<bool> condition)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        while (!condition())
            await Task.Delay(20, limit.Token);
    }
}
