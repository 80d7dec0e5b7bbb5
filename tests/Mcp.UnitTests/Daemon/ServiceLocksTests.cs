using Mcp.Daemon.Operations;
using Mcp.Model.Names;

namespace Mcp.UnitTests.Daemon;

public class ServiceLocksTests
{
    private readonly ServiceLocks _locks = new();

    [Fact]
    public async Task One_at_a_time_the_next_when_it_is_given_back_and_nothing_is_kept()
    {
        var (blog, shop) = (Label.Parse("blog"), Label.Parse("shop"));
        var held = await _locks.TakeAsync(blog, default);
        Assert.Null(_locks.TryTake(blog));
        var waiting = _locks.TakeAsync(blog, default);
        using (_locks.TryTake(shop))
            Assert.Equal(2, _locks.Count);
        using var given = new CancellationTokenSource();
        var gone = _locks.TakeAsync(blog, given.Token);
        await given.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => gone);
        Assert.False(waiting.IsCompleted);
        held.Dispose();
        // Given back twice is given back once.
        held.Dispose();
        var second = await waiting.WaitAsync(TimeSpan.FromSeconds(10));
        Assert.Null(_locks.TryTake(blog));
        second.Dispose();
        for (var i = 0; i < 1000; i++)
            _locks.TryTake(Label.Parse($"invented-{i}"))!.Dispose();
        Assert.Equal(0, _locks.Count);
    }
}
