using System.Diagnostics;
using Mcp.IntegrationTests.Hosts;

namespace Mcp.IntegrationTests.Bytes;

/// <summary>A request to an instance that is not there just now.</summary>
public sealed class AgainTests : IAsyncLifetime
{
    private const string Ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";
    private readonly Ways _ways = new();
    private readonly int _port = NodeFixture.FreePort();

    public async ValueTask InitializeAsync() => await _ways.StartAsync(_port, proxy: "trusted = [\"127.0.0.1\"]");

    public ValueTask DisposeAsync() => _ways.DisposeAsync();

    // It starts again, as after a crash.
    [Theory]
    [InlineData(Way.Node, 10)]
    [InlineData(Way.Node, 100_000)]
    [InlineData(Way.Edge, 10)]
    [InlineData(Way.Edge, 100_000)]
    public async Task It_waits_a_moment_and_is_passed_on_whole(Way way, int length)
    {
        var body = new string('x', length);
        var headers = $"X-Forwarded-For: 203.0.113.9\r\nConnection: close\r\nContent-Length: {length}";
        var asked = _ways.AskAsync(way, $"POST /a%2Fb HTTP/1.1\r\nHost: {Ways.Host}\r\n{headers}\r\n\r\n{body}");
        await Task.Delay(TimeSpan.FromMilliseconds(300));
        var got = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var server = new RawServer(
            async (to, _, ct) =>
            {
                var read = new byte[length];
                await to.ReadExactlyAsync(read, ct);
                got.SetResult(System.Text.Encoding.ASCII.GetString(read));
                await RawServer.SendAsync(to, Ok, ct);
            },
            _port);
        Assert.StartsWith("HTTP/1.1 200 OK\r\n", await asked, StringComparison.Ordinal);
        Assert.Equal(body, await got.Task);
        var head = Assert.Single(server.Heads);
        Assert.StartsWith("POST /a%2Fb HTTP/1.1\r\n", head, StringComparison.Ordinal);
        var client = way == Way.Node ? "203.0.113.9, 127.0.0.1" : "127.0.0.1";
        Assert.Contains($"\r\nX-Forwarded-For: {client}\r\n", head, StringComparison.OrdinalIgnoreCase);
    }

    // Another one takes its place, as when a new version is taken back.
    [Fact]
    public async Task It_goes_where_the_route_leads_by_then()
    {
        var asked = _ways.AskAsync(Way.Node, $"GET / HTTP/1.1\r\nHost: {Ways.Host}\r\nConnection: close\r\n\r\n");
        await Task.Delay(TimeSpan.FromMilliseconds(300));
        await using var other = new RawServer((to, _, ct) => RawServer.SendAsync(to, Ok, ct));
        await _ways.Pair.RouteAsync(Ways.Host, "bytes", other.Port);
        Assert.StartsWith("HTTP/1.1 200 OK\r\n", await asked, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Where_nobody_comes_it_is_told_so_within_two_seconds()
    {
        var clock = Stopwatch.StartNew();
        var answer = await _ways.AskAsync(Way.Node, $"GET / HTTP/1.1\r\nHost: {Ways.Host}\r\nConnection: close\r\n\r\n");
        Assert.StartsWith("HTTP/1.1 502 Bad Gateway\r\n", answer, StringComparison.Ordinal);
        Assert.Contains("the service behind this host does not answer\n", answer, StringComparison.Ordinal);
        Assert.InRange(clock.Elapsed.TotalSeconds, 0.9, 4);
    }
}
