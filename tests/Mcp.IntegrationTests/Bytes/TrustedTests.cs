using Mcp.IntegrationTests.Hosts;

namespace Mcp.IntegrationTests.Bytes;

/// <summary>Whom the node's proxy believes about who asks.</summary>
public sealed class TrustedTests : IAsyncLifetime
{
    private const string Said = "X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: shop.example.com\r\n"
        + "X-Forwarded-Port: 443\r\nX-Real-IP: 203.0.113.9\r\nForwarded: for=203.0.113.9\r\n";

    private readonly RawServer _server = new((to, _, ct) =>
        RawServer.SendAsync(to, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok", ct));

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    [Theory]
    [InlineData("", false)]
    [InlineData("trusted = [\"127.0.0.1\"]", true)]
    [InlineData("trusted = [\"10.0.0.0/8\", \"127.0.0.0/8\"]", true)]
    [InlineData("trusted = [\"10.0.0.0/8\", \"::1\"]", false)]
    public async Task A_proxy_before_it_is_believed_where_it_is_named(string trusted, bool believed)
    {
        await using var ways = new Ways();
        await ways.StartAsync(_server.Port, proxy: trusted);
        var ask = $"GET / HTTP/1.1\r\nHost: {Ways.Host}\r\n{Said}Connection: close\r\n\r\n";
        Assert.StartsWith("HTTP/1.1 200 ", await ways.AskAsync(Way.Node, ask), StringComparison.Ordinal);
        var head = _server.Heads.Last();
        string[] expected = believed
            ? ["X-Forwarded-For: 203.0.113.9, 127.0.0.1", "X-Forwarded-Proto: https", "X-Forwarded-Host: shop.example.com"]
            : ["X-Forwarded-For: 127.0.0.1", "X-Forwarded-Proto: http", $"X-Forwarded-Host: {Ways.Host}"];
        Assert.All(expected, line => Assert.Contains($"\r\n{line}\r\n", head, StringComparison.Ordinal));
        foreach (var line in (string[])["X-Forwarded-Port: 443", "X-Real-IP: 203.0.113.9", "Forwarded: for=203.0.113.9"])
            Assert.Equal(believed, head.Contains($"\r\n{line}\r\n", StringComparison.Ordinal));
        // The public is never believed, nor is another machine that shows no certificate of a node.
        foreach (var way in (Way[])[Way.Overlay, Way.Edge])
        {
            Assert.StartsWith("HTTP/1.1 200 ", await ways.AskAsync(way, ask), StringComparison.Ordinal);
            Assert.Contains("\r\nX-Forwarded-For: 127.0.0.1\r\n", _server.Heads.Last(), StringComparison.Ordinal);
            Assert.DoesNotContain("203.0.113.9", _server.Heads.Last(), StringComparison.Ordinal);
        }
    }
}
