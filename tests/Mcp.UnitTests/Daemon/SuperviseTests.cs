using Mcp.Daemon.Lifecycle;
using Mcp.Model.Errors;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;

namespace Mcp.UnitTests.Daemon;

public sealed class SuperviseTests
{
    private readonly FakeTimeProvider _time = new();
    private readonly Lines _lines = new();
    private readonly Supervise _supervise;

    public SuperviseTests() => _supervise = new Supervise(new FaultLog(_lines), _time);

    [Fact]
    public async Task A_loop_that_fails_begins_again_after_a_pause_that_doubles_up_to_a_bound()
    {
        using var end = new CancellationTokenSource();
        var starts = new List<TimeSpan>();
        var began = _time.GetTimestamp();
        var keeping = _supervise.KeepAsync("edge", _ =>
        {
            starts.Add(_time.GetElapsedTime(began));
            throw new IOException("no route to host");
        }, end.Token, new Pace(TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(5)));
        for (var i = 0; i < 20; i++)
            _time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal([0, 1, 3, 7, 12, 17], starts.Select(s => s.TotalSeconds));
        Assert.All(_lines.All, l => Assert.Equal((LogLevel.Warning, "edge: no route to host", null), (l.Level, l.Text, l.Exception)));
        await end.CancelAsync();
        await keeping;
        _time.Advance(TimeSpan.FromMinutes(1));
        Assert.Equal(6, starts.Count);
    }

    [Fact]
    public async Task One_that_worked_for_a_while_pauses_shortly()
    {
        using var end = new CancellationTokenSource();
        var starts = 0;
        var keeping = _supervise.KeepAsync("edge", async ct =>
        {
            starts++;
            await Task.Delay(starts > 3 ? TimeSpan.FromMinutes(1) : TimeSpan.Zero, _time, ct);
            throw new IOException("gone");
        }, end.Token);
        for (var i = 0; i < 7; i++)
            _time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(4, starts);
        _time.Advance(TimeSpan.FromMinutes(1));
        Assert.Equal(4, starts);
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(5, starts);
        await end.CancelAsync();
        await keeping;
    }

    [Fact]
    public async Task A_fault_of_ours_is_written_down_with_its_type_and_its_place()
    {
        using var end = new CancellationTokenSource();
        var keeping = _supervise.KeepAsync("edge", Fault, end.Token);
        await end.CancelAsync();
        await keeping;
        var line = Assert.Single(_lines.All);
        Assert.Equal((LogLevel.Error, "edge failed"), (line.Level, line.Text));
        var fault = Assert.IsType<InvalidOperationException>(line.Exception);
        Assert.Contains($"{nameof(SuperviseTests)}.{nameof(Fault)}", fault.StackTrace, StringComparison.Ordinal);
    }

    [Fact]
    public async Task One_that_ends_by_itself_is_not_begun_again_and_an_end_that_was_asked_for_is_no_failure()
    {
        var runs = 0;
        await _supervise.KeepAsync("once", _ => Task.FromResult(runs++), default);
        Assert.Equal(1, runs);
        using var end = new CancellationTokenSource();
        var keeping = _supervise.KeepAsync("edge", ct => Task.Delay(Timeout.Infinite, ct), end.Token);
        await end.CancelAsync();
        await keeping;
        var failing = _supervise.KeepAsync("edge", _ => throw new IOException("the database is closed"), end.Token);
        await failing;
        Assert.Empty(_lines.All);
    }

    [Fact]
    public void What_goes_on_failing_alike_is_written_once_and_that_it_is_over()
    {
        var log = new FaultLog(_lines);
        log.Over("master");
        for (var i = 0; i < 3; i++)
            log.WriteOnce("master", new McpException(ErrorCode.NodeUnreachable, "away"));
        log.WriteOnce("master", new McpException(ErrorCode.NodeUnreachable, "refused"));
        log.Over("master");
        log.Over("master");
        Assert.Equal(["master: away", "master: refused", "master: well again"], _lines.All.Select(l => l.Text));
    }

    private static Task Fault(CancellationToken ct) => throw new InvalidOperationException("never");

    private sealed class Lines : ILogger<FaultLog>
    {
        public List<(LogLevel Level, string Text, Exception? Exception)> All { get; } = [];

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel,
            EventId eventId,
            TState state,
            Exception? exception,
            Func<TState, Exception?, string> formatter) => All.Add((logLevel, formatter(state, exception), exception));
    }
}
