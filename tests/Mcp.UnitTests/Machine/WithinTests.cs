using Mcp.Machine;
using Microsoft.Extensions.Time.Testing;

namespace Mcp.UnitTests.Machine;

public sealed class WithinTests
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(5);
    private readonly FakeTimeProvider _time = new();

    [Fact]
    public void Its_end_is_told_apart_from_the_callers()
    {
        using var caller = new CancellationTokenSource();
        using var limit = new Within(s_limit, caller.Token, _time);
        _time.Advance(s_limit / 2);
        Assert.Equal((false, false), (limit.Token.IsCancellationRequested, limit.IsOver));
        _time.Advance(s_limit);
        Assert.Equal((true, true), (limit.Token.IsCancellationRequested, limit.IsOver));
        caller.Cancel();
        Assert.False(limit.IsOver);
    }

    [Fact]
    public void A_caller_that_goes_away_ends_it_and_is_no_limit()
    {
        using var caller = new CancellationTokenSource();
        using var limit = new Within(s_limit, caller.Token, _time);
        caller.Cancel();
        Assert.Equal((true, false), (limit.Token.IsCancellationRequested, limit.IsOver));
        _time.Advance(s_limit * 2);
        Assert.False(limit.IsOver);
    }

    [Fact]
    public void One_that_is_over_and_disposed_takes_nothing_from_the_caller()
    {
        using var caller = new CancellationTokenSource();
        new Within(s_limit, caller.Token, _time).Dispose();
        _time.Advance(s_limit * 2);
        Assert.False(caller.IsCancellationRequested);
    }
}
