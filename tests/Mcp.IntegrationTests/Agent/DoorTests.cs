using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Net.WebSockets;
using System.Text;
using Mcp.IntegrationTests.Hosts;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Mcp.IntegrationTests.Agent;

/// <summary>The published programs, and thousands of connections that ask nothing or half of something.</summary>
public sealed class DoorTests
{
    private static readonly TimeSpan s_beforeSilenceEnds = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(90);

    // As many as a listener of the proxy and gRPC keep at most, and more.
    private const int Many = 4500;

    [Fact]
    public async Task Thousands_of_silent_connections_to_the_grpc_port_end_are_bounded_and_keep_nobody_out()
    {
        await using var agent = await SpareAgent.CreateAsync(podman: "");
        await agent.StartAsync();
        var pid = (await Command.RunAsync("pgrep", ["-f", $"mcp-agent run --config {agent.Config}"])).Output.Split('\n')[0];
        // Nothing; half of a TLS hello.
        await using var flood = await FloodAsync(
            int.Parse(agent.Address.Split(':')[1], CultureInfo.InvariantCulture),
            [[], [22, 3, 1, 2, 0, 1, 0]]);
        await BoundedAsync(pid, 100, 4300);
        Assert.Equal(0, (await agent.McpAsync("status")).ExitCode);
        await flood.EndedAsync();
        Assert.Equal(0, (await agent.McpAsync("status")).ExitCode);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Thousands_of_silent_connections_to_the_proxy_end_are_bounded_and_cost_no_websocket_and_no_request(bool tls)
    {
        await using var proxy = new ProxyProcess();
        var (http, passed) = (NodeFixture.FreePort(), NodeFixture.FreePort());
        await proxy.StartAsync($"""
            [proxy]
            http = "127.0.0.1:{http}"
            tls = "127.0.0.1:{passed}"
            """);
        await using var backend = await ProxyProcess.BackendAsync(HttpProtocols.Http1, EchoAsync);
        await proxy.PushAsync(
            new { Routes = new[] { new { Host = "a.example.com", Port = ProxyProcess.Port(backend), PassThrough = false } } });
        using var held = new ClientWebSocket();
        held.Options.SetRequestHeader("Host", "a.example.com");
        using var limit = new CancellationTokenSource(s_patience);
        await held.ConnectAsync(new Uri($"ws://127.0.0.1:{http}/"), limit.Token);
        Assert.Equal("before", await AskAsync(held, "before", limit.Token));
        byte[][] sent = tls ? [[], [22, 3, 1, 2, 0, 1, 0]] : [[], Encoding.ASCII.GetBytes("GET / HTTP/1.1\r\nHost: a.exa")];
        await using var flood = await FloodAsync(tls ? passed : http, sent);
        var pid = (await File.ReadAllTextAsync(Path.Combine(proxy.State, "proxy.pid"))).Trim();
        await BoundedAsync(pid, 50, 2200);
        using var client = new HttpClient { Timeout = s_patience };
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri($"http://127.0.0.1:{http}/"));
        request.Headers.Host = "a.example.com";
        using var response = await client.SendAsync(request, limit.Token);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        await flood.EndedAsync();
        Assert.Equal("after", await AskAsync(held, "after", limit.Token));
    }

    // Connections that made room are closed a moment later than others come. Silence ends them only after 20 s, so what is in range by then
    // is bounded.
    private static async Task BoundedAsync(string pid, int least, int most)
    {
        for (var clock = Stopwatch.StartNew(); clock.Elapsed < s_beforeSilenceEnds && Files(pid) > most;)
            await Task.Delay(20);
        Assert.InRange(Files(pid), least, most);
    }

    private static int Files(string pid) => Directory.GetFiles($"/proc/{pid}/fd").Length;

    private static async Task EchoAsync(HttpContext context)
    {
        if (!context.WebSockets.IsWebSocketRequest)
        {
            await context.Response.WriteAsync("well");
            return;
        }

        using var socket = await context.WebSockets.AcceptWebSocketAsync();
        var buffer = new byte[100];
        while (await socket.ReceiveAsync(buffer.AsMemory(), context.RequestAborted) is { MessageType: WebSocketMessageType.Text } read)
            await socket.SendAsync(buffer.AsMemory(0, read.Count), WebSocketMessageType.Text, true, context.RequestAborted);
    }

    private static async Task<string> AskAsync(ClientWebSocket socket, string text, CancellationToken ct)
    {
        await socket.SendAsync(Encoding.ASCII.GetBytes(text), WebSocketMessageType.Text, true, ct);
        var buffer = new byte[100];
        return Encoding.ASCII.GetString(buffer, 0, (await socket.ReceiveAsync(buffer.AsMemory(), ct)).Count);
    }

    private static async Task<Flood> FloodAsync(int port, byte[][] sent)
    {
        var flood = new Flood();
        for (var i = 0; i < Many; i++)
            await flood.AddAsync(port, sent[i % sent.Length]);
        return flood;
    }

    private sealed class Flood : IAsyncDisposable
    {
        private readonly List<Socket> _sockets = [];

        public async Task AddAsync(int port, byte[] sent)
        {
            var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            _sockets.Add(socket);
            try
            {
                await socket.ConnectAsync(IPAddress.Loopback, port);
                if (sent.Length > 0)
                    await socket.SendAsync(sent);
            }
            catch (SocketException)
            {
                // Sent away before.
            }
        }

        /// <summary>Each of them is ended by the other side.</summary>
        public Task EndedAsync() => Task.WhenAll(_sockets.Select(async socket =>
        {
            var buffer = new byte[1000];
            using var limit = new CancellationTokenSource(s_patience);
            try
            {
                while (await socket.ReceiveAsync(buffer, limit.Token) > 0)
                {
                }
            }
            catch (SocketException)
            {
                // Reset: ended, too.
            }
        }));

        public ValueTask DisposeAsync()
        {
            _sockets.ForEach(s => s.Dispose());
            return ValueTask.CompletedTask;
        }
    }
}
