using Grpc.Core;
using Mcp.Agent.Logs;
using Mcp.Agent.Probes;
using Mcp.Agent.Rpc;
using Mcp.Daemon.Operations;
using Mcp.Model.Errors;
using Mcp.Model.Names;
using Mcp.Protocol.V1;
using Mcp.TestKit.Fakes;
using Microsoft.Extensions.Time.Testing;

namespace Mcp.UnitTests.Agent;

/// <summary>What a client gets of logs, from an agent in memory.</summary>
public sealed class LogStreamTests : IDisposable
{
    private static readonly InstanceName s_first = InstanceName.Parse("blog.web.1");
    private readonly string _directory = Directory.CreateTempSubdirectory("mcp-logstream").FullName;
    private readonly FakeRuntime _runtime = new(TimeProvider.System) { Images = { "example.com/hello:v1", "example.com/hello:v2" } };
    private readonly World _world;

    public LogStreamTests() => _world = new World(_directory, _runtime);

    public void Dispose()
    {
        _world.Dispose();
        _runtime.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    [Fact]
    public async Task Components_come_in_order_of_time()
    {
        await DeployAsync("v1", two: true);
        for (var i = 0; i < 10; i++)
            _runtime.Say(i % 2 == 0 ? s_first : InstanceName.Parse("blog.db.1"), $"say {i}");
        var lines = (await ReadAsync(new LogsRequest { Service = "blog", Tail = -1, Grep = "^say [0-9]$" })).ToList();
        Assert.Equal(Enumerable.Range(0, 10).Select(i => $"say {i}"), lines.Select(l => l.Text));
        Assert.Equal(["blog/web#1", "blog/db#1"], lines.Take(2).Select(l => $"{l.Service}/{l.Component}#{l.Generation}"));
    }

    [Fact]
    public async Task Followed_over_restarts_and_generations_each_line_comes_once_and_it_ends_with_the_service()
    {
        await DeployAsync("v1");
        var seen = new Collected();
        using var stop = new CancellationTokenSource();
        var following = Stream.SendAsync(new LogsRequest { Service = "blog", Tail = 0, Follow = true }, seen, stop.Token, default);
        for (var i = 0; i < 3; i++)
        {
            _runtime.Say(s_first, $"run {i}");
            await seen.HasAsync($"run {i}");
            _runtime.Kill(s_first, 1);
            await _runtime.StartAsync(s_first, default);
        }

        await DeployAsync("v2");
        _runtime.Say(InstanceName.Parse("blog.web.2"), "of the second");
        await seen.HasAsync("of the second");
        await _world.Undeployer.UndeployAsync(Label.Parse("blog"), default);
        await following.WaitAsync(TimeSpan.FromSeconds(20));
        Assert.Equal(
            [
                "run 0", "stopping", "listening on 1", "run 1", "stopping", "listening on 1", "run 2", "stopping", "listening on 1",
                "stopping",
            ],
            seen.Texts(1).Select(t => t.StartsWith("listening", StringComparison.Ordinal) ? "listening on 1" : t));
        Assert.Equal(3, seen.Texts(2).Count);
        Assert.Equal("stopping", seen.Texts(2)[^1]);
    }

    [Fact]
    public async Task Following_does_not_end_in_silence_when_the_agent_stops()
    {
        await DeployAsync("v1");
        using var stop = new CancellationTokenSource();
        var asked = new LogsRequest { Service = "blog", Tail = -1, Follow = true };
        var following = Stream.SendAsync(asked, new Collected(), stop.Token, default);
        await stop.CancelAsync();
        var e = await Assert.ThrowsAsync<McpException>(() => following);
        Assert.Equal(ErrorCode.AgentStopping, e.Code);
    }

    [Fact]
    public async Task A_component_that_a_deploy_adds_is_followed_too()
    {
        await DeployAsync("v1");
        var seen = new Collected();
        using var over = new CancellationTokenSource();
        var asked = new LogsRequest { Service = "blog", Tail = 0, Follow = true };
        var following = Stream.SendAsync(asked, seen, default, over.Token);
        await DeployAsync("v1", two: true);
        _runtime.Say(InstanceName.Parse("blog.db.1"), "of the second");
        await seen.HasAsync("of the second");
        await over.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => following);
    }

    [Fact]
    public async Task A_reader_that_does_not_read_holds_up_no_stop()
    {
        await DeployAsync("v1");
        using var stop = new CancellationTokenSource();
        var asked = new LogsRequest { Service = "blog", Tail = -1, Follow = true };
        var stuck = new Stuck();
        var following = Stream.SendAsync(asked, stuck, stop.Token, default);
        await stuck.Begun.WaitAsync(TimeSpan.FromSeconds(20));
        await stop.CancelAsync();
        var e = await Assert.ThrowsAsync<McpException>(() => following.WaitAsync(TimeSpan.FromSeconds(20)));
        Assert.Equal(ErrorCode.AgentStopping, e.Code);
    }

    [Fact]
    public async Task The_reason_of_a_failed_deploy_is_short_enough_to_be_told()
    {
        await DeployAsync("v1");
        var component = _world.Registry.Components.List(Label.Parse("blog"))[0].Definition;
        foreach (var i in Enumerable.Range(0, 30))
            _runtime.Say(s_first, $"{i} {new string('x', 1_000_000)}");
        _runtime.Kill(s_first, 1);
        using var probe = new HealthProbe();
        var gate = new HealthGate(_world.Runtimes, _world.Ports, probe);
        var e = await Assert.ThrowsAsync<McpException>(
            () => gate.WatchAsync(component, s_first, TimeSpan.FromSeconds(30), default));
        Assert.Equal(ErrorCode.HealthFailed, e.Code);
        Assert.Contains("  | 29 xxx", e.Message, StringComparison.Ordinal);
        Assert.InRange(e.Message.Length, 1000, 8000);
    }

    [Fact]
    public void A_search_that_takes_too_long_is_told_as_such()
    {
        var matches = LogQuestion.Matching("a", TimeSpan.Zero);
        var e = Assert.Throws<McpException>(() => matches(new string('b', 10_000_000)));
        Assert.Equal(ErrorCode.Usage, e.Code);
    }

    [Fact]
    public async Task The_log_of_a_quiet_service_stays_for_a_day_after_it_went()
    {
        var time = new FakeTimeProvider(TimeProvider.System.GetUtcNow());
        await DeployAsync("v1");
        _runtime.Say(s_first, "the last");
        time.Advance(TimeSpan.FromDays(40));
        await _world.Undeployer.UndeployAsync(Label.Parse("blog"), default);
        var keeper = new LogKeeper(_world.Registry.Components, _world.Runtimes, time);
        await keeper.LookAsync(default);
        Assert.Contains("the last", await TextsAsync(previous: 1));
    }

    [Fact]
    public async Task Former_generations_are_read_and_those_of_failed_deploys()
    {
        await DeployAsync("v1");
        _runtime.Say(s_first, "the first");
        await DeployAsync("v2");
        _runtime.Crashing.Add("web");
        await Assert.ThrowsAsync<StepFailedException>(() => DeployAsync("v1"));
        _runtime.Say(InstanceName.Parse("blog.web.3"), "the failed one");
        Assert.Contains("the failed one", await TextsAsync(previous: 1));
        Assert.Contains("the first", await TextsAsync(previous: 2));
        Assert.DoesNotContain("the first", await TextsAsync(previous: 0));
        var e = await Assert.ThrowsAsync<McpException>(() => TextsAsync(previous: 3));
        Assert.Equal((ErrorCode.LogNone, "kept: web generation 3, web generation 1"), (e.Code, e.Hint));
        await Keeper.LookAsync(default);
        Assert.Contains("the first", await TextsAsync(previous: 2));
    }

    [Fact]
    public async Task Of_a_service_that_is_gone_the_log_is_there_with_previous_and_the_error_says_so()
    {
        await DeployAsync("v1");
        _runtime.Say(s_first, "the first");
        await _world.Undeployer.UndeployAsync(Label.Parse("blog"), default);
        var e = await Assert.ThrowsAsync<McpException>(() => TextsAsync(previous: 0));
        Assert.Equal((ErrorCode.ServiceUnknown, "mcp logs blog --previous shows the log of the one that was here"), (e.Code, e.Hint));
        Assert.Contains("the first", await TextsAsync(previous: 1));
        Assert.Equal(
            ErrorCode.ServiceUnknown,
            (await Assert.ThrowsAsync<McpException>(() => ReadAsync(new LogsRequest { Service = "never", Previous = 1 }))).Code);
    }

    [Fact]
    public async Task A_component_that_was_stopped_has_its_log()
    {
        await DeployAsync("v1");
        await _runtime.StopAsync(s_first, TimeSpan.Zero, default);
        Assert.Contains("stopping", await TextsAsync(previous: 0));
    }

    [Theory]
    [InlineData("(", "not an expression")]
    [InlineData("(?=x)", "not an expression")]
    [InlineData("(a)\\1", "not an expression")]
    public async Task A_wrong_expression_is_an_error_that_says_what_is_allowed(string grep, string what)
    {
        await DeployAsync("v1");
        var e = await Assert.ThrowsAsync<McpException>(() => ReadAsync(new LogsRequest { Service = "blog", Grep = grep }));
        Assert.Equal(ErrorCode.Usage, e.Code);
        Assert.Contains(what, e.Message, StringComparison.Ordinal);
        Assert.Contains("without look-around", e.Hint, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_former_generation_is_not_followed()
    {
        await DeployAsync("v1");
        var asked = new LogsRequest { Service = "blog", Previous = 1, Follow = true };
        Assert.Equal(ErrorCode.Usage, (await Assert.ThrowsAsync<McpException>(() => ReadAsync(asked))).Code);
    }

    private LogStream Stream => new(_world.Registry.Components, _world.Runtimes);

    private LogKeeper Keeper => new(_world.Registry.Components, _world.Runtimes, TimeProvider.System);

    private Task DeployAsync(string tag, bool two = false) => _world.DeployAsync(World.Service(
        "blog",
        tag,
        "restart = \"no\"\n" + (two ? "[[components]]\nname = \"db\"\nimage = \"example.com/hello:v1\"\nwatch = \"0s\"" : "")));

    private async Task<List<string>> TextsAsync(int previous) =>
        [.. (await ReadAsync(new LogsRequest { Service = "blog", Tail = -1, Previous = previous })).Select(l => l.Text)];

    private async Task<List<LogLine>> ReadAsync(LogsRequest request)
    {
        var lines = new Collected();
        await Stream.SendAsync(request, lines, default, default);
        return lines.All;
    }

    // Its window is full.
    private sealed class Stuck : IServerStreamWriter<LogLine>
    {
        private readonly TaskCompletionSource _begun = new();

        public Task Begun => _begun.Task;

        public WriteOptions? WriteOptions { get; set; }

        public Task WriteAsync(LogLine message) => WriteAsync(message, default);

        public Task WriteAsync(LogLine message, CancellationToken cancellationToken)
        {
            _begun.TrySetResult();
            return Task.Delay(Timeout.Infinite, cancellationToken);
        }
    }

    private sealed class Collected : IServerStreamWriter<LogLine>
    {
        private readonly List<LogLine> _lines = [];

        public WriteOptions? WriteOptions { get; set; }

        public List<LogLine> All
        {
            get
            {
                lock (_lines)
                    return [.. _lines];
            }
        }

        public Task WriteAsync(LogLine message)
        {
            lock (_lines)
                _lines.Add(message);
            return Task.CompletedTask;
        }

        public Task WriteAsync(LogLine message, CancellationToken cancellationToken) => WriteAsync(message);

        public List<string> Texts(int generation) => [.. All.Where(l => l.Generation == generation).Select(l => l.Text)];

        public async Task HasAsync(string text)
        {
            using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(20));
            while (!All.Any(l => l.Text == text))
                await Task.Delay(10, limit.Token);
        }
    }
}
