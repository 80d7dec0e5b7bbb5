using Grpc.Core;
using Mcp.Agent.Deploy;
using Mcp.Daemon.Operations;
using Mcp.Model.Errors;
using Mcp.Model.Names;
using Mcp.Protocol.V1;
using Mcp.TestKit.Fakes;

namespace Mcp.UnitTests.Agent;

/// <summary>A deploy belongs to the node: others follow it, wait for it and are told so, take it back.</summary>
public sealed class WorkTests : IDisposable
{
    private static readonly Label s_blog = Label.Parse("blog");
    private readonly string _directory = Directory.CreateTempSubdirectory("mcp-work").FullName;
    private readonly FakeRuntime _runtime = new(TimeProvider.System) { Images = { "example.com/hello:v1", "example.com/hello:v2" } };

    public void Dispose()
    {
        _runtime.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    [Fact]
    public async Task Who_comes_late_sees_it_from_its_beginning_and_its_end()
    {
        using var world = new World(_directory, _runtime);
        var (begun, goOn) = Hold("run");
        using var work = new Work(Work.Deploy, "ann");
        var deploy = Begin(world, "v1", work);
        await begun;
        Assert.Same(work, world.Locks.Of(s_blog));
        Assert.StartsWith("the deploy by ann, at step start since ", work.Told, StringComparison.Ordinal);
        using var late = new Reader();
        var followed = StepStream.FollowAsync(work, late, late.Token);
        goOn.SetResult();
        await deploy;
        await followed;
        Assert.Null(world.Locks.Of(s_blog));
        using var after = new Reader();
        await StepStream.FollowAsync(work, after, after.Token);
        foreach (var seen in (Reader[])[late, after])
        {
            var done = seen.Events.Where(e => e.Kind == StepEvent.Types.Kind.Done).Select(e => e.Step);
            Assert.Equal(["plan", "pull", "ports", "start", "health", "replace", "switch", "watch", "retire"], done);
            Assert.Equal(StepEvent.Types.Kind.Finished, seen.Events[^1].Kind);
            Assert.Equal(9, seen.Events[^1].Results.Count);
            // Right before it is watched.
            var serving = seen.Events.FindIndex(e => e.Kind == StepEvent.Types.Kind.Serving);
            Assert.Equal("switch", seen.Events[serving].Step);
        }
    }

    [Fact]
    public async Task It_goes_on_when_whoever_began_it_goes_away_and_is_taken_back_by_somebody_else()
    {
        using var world = new World(_directory, _runtime);
        await world.DeployAsync(World.Service("blog", "v1"));
        var (begun, goOn) = Hold("run");
        var work = new Work(Work.Deploy, "ann");
        using var client = new Reader();
        using var gone = new CancellationTokenSource();
        var sent = StepStream.SendAsync(work, DeployAsync, client, gone.Token);
        await begun;
        await gone.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => sent);
        using var late = new Reader();
        var followed = StepStream.FollowAsync(world.Locks.Of(s_blog)!, late, late.Token);
        var cancelled = Cancellation.CancelAsync(s_blog, world.Locks.Of(s_blog)!, "bob", TestContext.Current.CancellationToken);
        goOn.SetResult();
        Assert.StartsWith("cancelled the deploy", Assert.Single((await cancelled).Done), StringComparison.Ordinal);
        await Assert.ThrowsAsync<StepFailedException>(() => followed);
        Assert.Equal(["blog.web.1"], await world.InstancesAsync());

        async Task<StepEvent> DeployAsync()
        {
            await world.Deployer.CarryOutAsync(World.Service("blog", "v2"), DeployOptions.Default, work, default);
            return new StepEvent();
        }
    }

    [Fact]
    public async Task Who_follows_hears_why_it_failed()
    {
        using var world = new World(_directory, _runtime);
        using var work = new Work(Work.Deploy, "ann");
        await Assert.ThrowsAsync<StepFailedException>(() => Begin(world, "v9", work));
        using var late = new Reader();
        var failed = await Assert.ThrowsAsync<StepFailedException>(() => StepStream.FollowAsync(work, late, late.Token));
        Assert.Equal("pull", failed.Step);
        Assert.Equal(StepEvent.Types.Kind.Undone, late.Events[^1].Kind);
    }

    [Fact]
    public async Task What_is_no_deploy_cannot_be_followed_and_is_told_as_what_it_is()
    {
        using var work = new Work("stop", "ann");
        using var late = new Reader();
        var told = await Assert.ThrowsAsync<McpException>(() => StepStream.FollowAsync(work, late, late.Token));
        Assert.Equal(ErrorCode.OperationNone, told.Code);
        Assert.Contains("the stop by ann", told.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_waits_says_for_whom_and_is_not_counted_into_its_first_step()
    {
        using var world = new World(_directory, _runtime);
        var (begun, goOn) = Hold("run");
        using var first = new Work(Work.Deploy, "ann");
        var deploy = Begin(world, "v1", first);
        await begun;
        var told = new TaskCompletionSource<string>();
        using var second = new Work(Work.Deploy, "bob", (step, mark, detail) =>
        {
            if (step == Work.Waiting && mark == StepMark.Progress)
                told.TrySetResult(detail);
        });
        var next = Begin(world, "v2", second);
        Assert.StartsWith("for the deploy by ann, at step start since ", await told.Task, StringComparison.Ordinal);
        goOn.SetResult();
        await deploy;
        await next;
        using var seen = new Reader();
        await StepStream.FollowAsync(second, seen, seen.Token);
        Assert.Equal(["wait", "plan"], seen.Events.Where(e => e.Kind == StepEvent.Types.Kind.Done).Take(2).Select(e => e.Step));
        Assert.Equal(["blog.web.2"], await world.RunningAsync());
    }

    [Theory]
    [InlineData("pull")]
    [InlineData("run")]
    [InlineData("ran")]
    [InlineData("push")]
    [InlineData("pushed")]
    public async Task What_is_cancelled_is_undone_wherever_it_stands(string where)
    {
        using var world = new World(_directory, _runtime);
        await world.DeployAsync(World.Service("blog", "v1"));
        var (begun, goOn) = Hold(where);
        using var work = new Work(Work.Deploy, "ann");
        var deploy = Begin(world, "v2", work, "watch = \"30s\"");
        await begun;
        var cancelled = Cancellation.CancelAsync(s_blog, work, "bob", TestContext.Current.CancellationToken);
        goOn.SetResult();
        var told = Assert.Single((await cancelled).Done);
        Assert.StartsWith("cancelled the deploy of blog by ann; blog.web.1 was not touched", told, StringComparison.Ordinal);
        var failed = await Assert.ThrowsAsync<StepFailedException>(() => deploy);
        Assert.Equal((ErrorCode.OperationCancelled, "cancelled by bob"), (failed.Reason.Code, failed.Reason.Message));
        Assert.Equal(["blog.web.1"], await world.InstancesAsync());
        Assert.Equal("blog.web.1", world.Proxy.Targets["blog"].ToString());
        Assert.Empty(world.Registry.Operations.Open());
        var last = world.Registry.Releases.Of(s_blog)[0];
        Assert.Equal(Outcome.Undone, last.Outcome);
        Assert.EndsWith("cancelled by bob", last.Why, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_has_taken_effect_is_not_cancelled()
    {
        using var world = new World(_directory, _runtime);
        await world.DeployAsync(World.Service("blog", "v1"));
        // The old one is being retired.
        var (begun, goOn) = Hold("drain");
        using var work = new Work(Work.Deploy, "ann");
        var deploy = Begin(world, "v2", work);
        await begun;
        var cancelled = Cancellation.CancelAsync(s_blog, work, "bob", TestContext.Current.CancellationToken);
        goOn.SetResult();
        Assert.Equal(ErrorCode.OperationLate, (await Assert.ThrowsAsync<McpException>(() => cancelled)).Code);
        await deploy;
        Assert.Equal(["blog.web.2"], await world.InstancesAsync());
        // And what has ended even less.
        work.Dispose();
        work.Cancel("bob");
    }

    [Fact]
    public async Task Only_a_deploy_is_cancelled()
    {
        using var world = new World(_directory, _runtime);
        await world.DeployAsync(World.Service("blog", "v1"));
        var (begun, goOn) = Hold("stop");
        using var work = new Work("undeploy", "ann");
        var undeploy = world.Undeployer.UndeployAsync(s_blog, number: null, work, default);
        await begun;
        var late = await Assert.ThrowsAsync<McpException>(() => Cancellation.CancelAsync(s_blog, work, "bob", default));
        Assert.Contains("is busy with the undeploy by ann", late.Message, StringComparison.Ordinal);
        goOn.SetResult();
        await undeploy;
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task What_a_killed_agent_left_is_followed_too_and_taken_back(bool cancel)
    {
        var killed = new World(_directory, _runtime);
        await killed.DeployAsync(World.Service("blog", "v1"));
        using (var stop = new CancellationTokenSource())
        {
            _runtime.Hook = step => step == "run" ? Task.Delay(Timeout.Infinite, stop.Token) : Task.CompletedTask;
            var deploy = killed.Deployer.DeployAsync(World.Service("blog", "v2"), DeployOptions.Default, null, stop.Token);
            await stop.CancelAsync();
            await Assert.ThrowsAnyAsync<Exception>(() => deploy);
        }

        killed.Dispose();
        using var world = new World(_directory, _runtime);
        var (begun, goOn) = Hold("run");
        var entry = Assert.Single(world.Registry.Operations.Open());
        var resumed = world.Deployer.ResumeAsync(entry, default);
        await begun;
        var work = world.Locks.Of(s_blog)!;
        var end = cancel ? Cancellation.CancelAsync(s_blog, work, "bob", TestContext.Current.CancellationToken) : (Task)work.Ended;
        goOn.SetResult();
        await end;
        await resumed;
        Assert.Equal([$"blog.web.{(cancel ? 1 : 2)}"], await world.RunningAsync());
        Assert.Empty(world.Registry.Operations.Open());
    }

    private (Task Begun, TaskCompletionSource GoOn) Hold(string at)
    {
        var (begun, goOn) = (new TaskCompletionSource(), new TaskCompletionSource());
        _runtime.Hook = step =>
        {
            if (step != at || goOn.Task.IsCompleted)
                return Task.CompletedTask;
            begun.TrySetResult();
            return goOn.Task;
        };
        return (begun.Task.WaitAsync(TimeSpan.FromMinutes(1)), goOn);
    }

    private static Task<StepEvent> Begin(World world, string tag, Work work, string extra = "") => work.RunAsync(async () =>
    {
        await world.Deployer.CarryOutAsync(World.Service("blog", tag, extra), DeployOptions.Default with { By = work.By }, work, default);
        return new StepEvent();
    });

    private sealed class Reader : IServerStreamWriter<StepEvent>, IDisposable
    {
        private readonly CancellationTokenSource _limit = new(TimeSpan.FromMinutes(1));

        public List<StepEvent> Events { get; } = [];

        public CancellationToken Token => _limit.Token;

        public WriteOptions? WriteOptions { get; set; }

        public Task WriteAsync(StepEvent message, CancellationToken cancellationToken) => WriteAsync(message);

        public Task WriteAsync(StepEvent message)
        {
            Events.Add(message);
            return Task.CompletedTask;
        }

        public void Dispose() => _limit.Dispose();
    }
}
