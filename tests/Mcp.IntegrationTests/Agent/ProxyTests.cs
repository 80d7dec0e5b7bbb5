using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Net.WebSockets;
using System.Security.Cryptography;
using System.Text;
using Mcp.IntegrationTests.Hosts;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Mcp.IntegrationTests.Agent;

/// <summary>The published proxy process by itself, with backends of the test's.</summary>
public sealed class ProxyTests : IAsyncLifetime
{
    private readonly ProxyProcess _proxy = new();
    private readonly int _http = NodeFixture.FreePort();
    private readonly int _h2c = NodeFixture.FreePort();
    private readonly int _tls = NodeFixture.FreePort();

    public async ValueTask InitializeAsync() => await _proxy.StartAsync($"""
        [proxy]
        http = "127.0.0.1:{_http}"
        h2c = "127.0.0.1:{_h2c}"
        tls = "127.0.0.1:{_tls}"
        """);

    public ValueTask DisposeAsync() => _proxy.DisposeAsync();

    [Fact]
    public async Task Requests_go_by_host_and_forwarded_headers_are_the_proxys_own()
    {
        await using var backend = await ProxyProcess.BackendAsync(HttpProtocols.Http1, async context =>
            await context.Response.WriteAsync(string.Join(
                "|",
                context.Request.Headers
                    .Where(h => h.Key.StartsWith("X-Forwarded", StringComparison.OrdinalIgnoreCase) || h.Key == "Forwarded")
                    .OrderBy(h => h.Key, StringComparer.Ordinal)
                    .Select(h => $"{h.Key}={h.Value}"))));
        await RouteAsync(("a.example.com", ProxyProcess.Port(backend), false));
        using var request = new HttpRequestMessage(
            HttpMethod.Get,
            new Uri($"http://127.0.0.1:{_http}/"))
        { Headers = { Host = "A.example.com" } };
        foreach (var forged in (string[])["X-Forwarded-For", "Forwarded", "X-Forwarded-Host", "X-Forwarded-Proto"])
            request.Headers.TryAddWithoutValidation(forged, "6.6.6.6");
        using var http = new HttpClient();
        using var response = await http.SendAsync(request);
        Assert.Equal(
            "X-Forwarded-For=127.0.0.1|X-Forwarded-Host=A.example.com|X-Forwarded-Proto=http",
            await response.Content.ReadAsStringAsync());
        using var other = new HttpRequestMessage(
            HttpMethod.Get,
            new Uri($"http://127.0.0.1:{_http}/"))
        { Headers = { Host = "b.example.com" } };
        using var refused = await http.SendAsync(other);
        Assert.Equal(HttpStatusCode.NotFound, refused.StatusCode);
    }

    [Fact]
    public async Task A_web_socket_is_carried()
    {
        await using var backend = await ProxyProcess.BackendAsync(HttpProtocols.Http1, async context =>
        {
            using var socket = await context.WebSockets.AcceptWebSocketAsync();
            var buffer = new byte[100];
            var read = await socket.ReceiveAsync(buffer.AsMemory(), default);
            await socket.SendAsync(buffer.AsMemory(0, read.Count), WebSocketMessageType.Text, true, default);
            await socket.CloseAsync(WebSocketCloseStatus.NormalClosure, null, default);
        });
        await RouteAsync(("ws.example.com", ProxyProcess.Port(backend), false));
        using var client = new ClientWebSocket();
        client.Options.SetRequestHeader("Host", "ws.example.com");
        await client.ConnectAsync(new Uri($"ws://127.0.0.1:{_http}/"), default);
        await client.SendAsync("over and out"u8.ToArray(), WebSocketMessageType.Text, true, default);
        var buffer = new byte[100];
        var read = await client.ReceiveAsync(buffer.AsMemory(), default);
        Assert.Equal("over and out", Encoding.UTF8.GetString(buffer, 0, read.Count));
        // It is on its way, and no request that ends by itself.
        Assert.Equal("1", await _proxy.InFlightAsync(ProxyProcess.Port(backend)));
        Assert.Equal("0", await _proxy.InFlightAsync(ProxyProcess.Port(backend), "requests"));
        await client.CloseAsync(WebSocketCloseStatus.NormalClosure, null, default);
    }

    [Fact]
    public async Task A_grpc_call_arrives_as_http2_and_its_trailers_come_back()
    {
        await using var backend = await ProxyProcess.BackendAsync(HttpProtocols.Http2, async context =>
        {
            context.Response.ContentType = "application/grpc";
            context.Response.DeclareTrailer("grpc-status");
            await context.Response.Body.WriteAsync(new byte[5]);
            context.Response.AppendTrailer("grpc-status", context.Request.Protocol == "HTTP/2" ? "0" : "13");
        });
        await RouteAsync(("grpc.example.com", ProxyProcess.Port(backend), false));
        using var http = new HttpClient();
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri($"http://127.0.0.1:{_h2c}/x.Y/Z"))
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Headers = { Host = "grpc.example.com", TE = { new("trailers") } },
            Content = new ByteArrayContent(new byte[5]) { Headers = { ContentType = new("application/grpc") } },
        };
        using var response = await http.SendAsync(request);
        Assert.Equal(5, (await response.Content.ReadAsByteArrayAsync()).Length);
        Assert.Equal("0", response.TrailingHeaders.GetValues("grpc-status").Single());
    }

    [Fact]
    public async Task Tls_is_passed_through_by_its_server_name_in_both_directions()
    {
        using var first = await TlsEcho.StartAsync("one.example.com");
        using var second = await TlsEcho.StartAsync("two.example.com");
        await RouteAsync(("one.example.com", first.Port, true), ("two.example.com", second.Port, true), ("http.example.com", 1, false));
        foreach (var name in (string[])["one.example.com", "TWO.example.com", "one.example.com"])
        {
            await using var tls = await ConnectAsync(name);
            Assert.Contains(name.ToLowerInvariant(), tls.RemoteCertificate!.Subject, StringComparison.Ordinal);
            var sent = RandomNumberGenerator.GetBytes(5_000_000);
            var writing = tls.WriteAsync(sent).AsTask();
            var back = new byte[sent.Length];
            await tls.ReadExactlyAsync(back);
            await writing;
            Assert.Equal(sent, back);
        }

        // A name of an HTTP route, or of none, and what is not TLS.
        await Assert.ThrowsAnyAsync<Exception>(() => ConnectAsync("http.example.com"));
        await Assert.ThrowsAnyAsync<Exception>(() => ConnectAsync("three.example.com"));
        using var raw = new TcpClient();
        await raw.ConnectAsync(IPAddress.Loopback, _tls);
        await raw.GetStream().WriteAsync("GET / HTTP/1.1\r\n\r\n"u8.ToArray());
        Assert.Equal(21, raw.GetStream().ReadByte());
    }

    [Fact]
    public async Task A_killed_proxy_has_its_routes_again_and_a_moved_route_lets_requests_end()
    {
        var go = new TaskCompletionSource();
        await using var old = await ProxyProcess.BackendAsync(HttpProtocols.Http1, async context =>
        {
            await go.Task;
            await context.Response.WriteAsync("old");
        });
        await using var fresh = await ProxyProcess.BackendAsync(HttpProtocols.Http1, context => context.Response.WriteAsync("new"));
        await RouteAsync(("move.example.com", ProxyProcess.Port(old), false));
        await _proxy.KillAsync();
        await _proxy.StartAsync();
        var slow = GetAsync("move.example.com");
        await NodeFixture.UntilAsync(async () => await _proxy.InFlightAsync(ProxyProcess.Port(old)) == "1", "the request is under way");
        await RouteAsync(("move.example.com", ProxyProcess.Port(fresh), false));
        Assert.Equal("new", await GetAsync("move.example.com"));
        Assert.Equal("1", await _proxy.InFlightAsync(ProxyProcess.Port(old)));
        go.SetResult();
        Assert.Equal("old", await slow);
        await NodeFixture.UntilAsync(async () => await _proxy.InFlightAsync(ProxyProcess.Port(old)) == "0", "the request has ended");
    }

    [Fact]
    public async Task A_proxy_that_is_older_than_agent_toml_gives_way_when_the_agent_starts()
    {
        await using var agent = await SpareAgent.CreateAsync();
        var (before, after, edge) = (NodeFixture.FreePort(), NodeFixture.FreePort(), NodeFixture.FreePort());
        var toml = System.Text.RegularExpressions.Regex.Replace(
            await File.ReadAllTextAsync(agent.Config),
            "http = \"[^\"]*\"",
            $"http = \"127.0.0.1:{before}\"");
        await File.WriteAllTextAsync(agent.Config, toml);
        await agent.StartAsync();
        await NodeFixture.UntilAsync(() => AnswersAsync(before), "the proxy answers");
        var pid = await File.ReadAllTextAsync(Path.Combine(agent.State, "proxy.pid"));
        await agent.KillAsync();
        await agent.StartAsync();
        // Nothing has changed: it is the same.
        await NodeFixture.UntilAsync(async () => (await agent.McpAsync("node", "show")).ExitCode == 0, "the agent answers");
        Assert.Equal(pid, await File.ReadAllTextAsync(Path.Combine(agent.State, "proxy.pid")));
        await agent.KillAsync();
        await File.WriteAllTextAsync(
            agent.Config,
            toml.Replace($":{before}", $":{after}", StringComparison.Ordinal)
                + $"\n[edge]\nhttp = \"127.0.0.1:{edge}\"\nhttps = \"127.0.0.1:{NodeFixture.FreePort()}\"\n");
        await agent.StartAsync();
        await NodeFixture.UntilAsync(async () => await AnswersAsync(after) && await AnswersAsync(edge), "the new proxy answers");
        // The one of before stops to listen a moment after the new one began.
        await NodeFixture.UntilAsync(async () => !await AnswersAsync(before), "the one of before has stopped to listen");
        await NodeFixture.UntilAsync(
            async () => (await agent.McpAsync("events")).Output.Contains("agent.toml has changed", StringComparison.Ordinal),
            "the event is there");

        static async Task<bool> AnswersAsync(int port)
        {
            using var http = new HttpClient();
            try
            {
                using var response = await http.GetAsync(new Uri($"http://127.0.0.1:{port}/"));
                return response.StatusCode == HttpStatusCode.NotFound;
            }
            catch (HttpRequestException)
            {
                return false;
            }
        }
    }

    [Fact]
    public async Task Each_route_says_how_long_nothing_may_pass()
    {
        await using var backend = await ProxyProcess.BackendAsync(HttpProtocols.Http1, async context =>
        {
            await context.Response.WriteAsync("first ");
            await context.Response.Body.FlushAsync();
            await Task.Delay(TimeSpan.FromSeconds(3), context.RequestAborted);
            await context.Response.WriteAsync("second");
        });
        var port = ProxyProcess.Port(backend);
        await _proxy.PushAsync(new
        {
            Routes = new object[]
            {
                new { Host = "short.example.com", Port = port, PassThrough = false, Idle = "00:00:01" },
                new { Host = "long.example.com", Port = port, PassThrough = false, Idle = "00:01:00" },
                new { Host = "usual.example.com", Port = port, PassThrough = false },
            },
        });
        Assert.Equal("first second", await GetAsync("long.example.com"));
        Assert.Equal("first second", await GetAsync("usual.example.com"));
        var began = System.Diagnostics.Stopwatch.GetTimestamp();
        await Assert.ThrowsAnyAsync<Exception>(() => GetAsync("short.example.com"));
        Assert.InRange(System.Diagnostics.Stopwatch.GetElapsedTime(began).TotalSeconds, 0.9, 2.9);
    }

    private Task RouteAsync(params (string Host, int Port, bool PassThrough)[] routes) =>
        _proxy.PushAsync(new { Routes = routes.Select(r => new { r.Host, r.Port, r.PassThrough }) });

    private async Task<string> GetAsync(string host)
    {
        using var http = new HttpClient();
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri($"http://127.0.0.1:{_http}/")) { Headers = { Host = host } };
        using var response = await http.SendAsync(request);
        return await response.Content.ReadAsStringAsync();
    }

    private Task<SslStream> ConnectAsync(string name) => TlsEcho.ConnectAsync(_tls, name);
}
