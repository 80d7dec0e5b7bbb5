using Mcp.Agent.Proxy;
using Mcp.Agent.ProxyProcess;

namespace Mcp.UnitTests.Proxy;

public sealed class HoldTests
{
    private static readonly TimeSpan s_long = TimeSpan.FromSeconds(30);

    [Fact]
    public async Task Who_comes_to_a_held_route_waits_for_the_next_instance()
    {
        var table = new RouteTable(s_long);
        table.Replace(Routes(1001, held: false));
        var under = await table.EnterAsync("shop.lan", default);
        table.Replace(Routes(1001, held: true));
        Assert.Equal(1, table.InFlight(1001));
        var waiting = table.EnterAsync("SHOP.lan", default).AsTask();
        Assert.False(waiting.IsCompleted);
        under.Backend!.Leave();
        Assert.Equal(0, table.InFlight(1001));
        table.Replace(Routes(1002, held: false));
        Assert.Equal(1002, (await waiting).Backend!.Port);
        Assert.Equal((0, 1), (table.InFlight(1001), table.InFlight(1002)));
    }

    [Fact]
    public async Task A_hold_that_does_not_end_is_told_after_its_limit()
    {
        var table = new RouteTable(TimeSpan.FromMilliseconds(50));
        table.Replace(Routes(1001, held: true));
        Assert.Equal(new Found(null, true), await table.EnterAsync("shop.lan", default));
        Assert.Equal(new Found(null, false), await table.EnterAsync("other.lan", default));
    }

    [Fact]
    public async Task Only_so_many_wait_and_one_who_leaves_makes_room()
    {
        var table = new RouteTable(s_long);
        table.Replace(Routes(1001, held: true));
        using var leaves = new CancellationTokenSource();
        var first = table.EnterAsync("shop.lan", leaves.Token).AsTask();
        var waiting = Enumerable.Range(1, RouteTable.MostWaiting - 1).Select(_ => table.EnterAsync("shop.lan", default).AsTask()).ToList();
        Assert.True((await table.EnterAsync("shop.lan", default)).Held);
        await leaves.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => first);
        waiting.Add(table.EnterAsync("shop.lan", default).AsTask());
        table.Replace(Routes(1001, held: false));
        Assert.All(await Task.WhenAll(waiting), f => Assert.Equal(1001, f.Backend!.Port));
        Assert.Equal(RouteTable.MostWaiting, table.InFlight(1001));
    }

    [Fact]
    public async Task A_route_that_goes_while_somebody_waits_is_no_route()
    {
        var table = new RouteTable(s_long);
        table.Replace(Routes(1001, held: true));
        var waiting = table.EnterAsync("shop.lan", default).AsTask();
        table.Replace(new ProxyRoutes([]));
        Assert.Equal(new Found(null, false), await waiting);
    }

    private static ProxyRoutes Routes(int port, bool held) => new([new ProxyRoute("shop.lan", port, false, held)]);
}
