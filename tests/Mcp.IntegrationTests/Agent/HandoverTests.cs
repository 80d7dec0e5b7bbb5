using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Net.WebSockets;
using System.Text;
using Mcp.IntegrationTests.Edge;
using Mcp.IntegrationTests.Hosts;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Mcp.IntegrationTests.Agent;

/// <summary>A node proxy that takes the place of another one: the published process by itself.</summary>
public sealed class HandoverTests(ITestOutputHelper output) : IAsyncLifetime
{
    private const int Connects = 10_000;
    private const string Host = "a.example.com";
    private const int Large = 1024 * 1024;
    private static readonly TimeSpan s_slow = TimeSpan.FromSeconds(3);
    private readonly ProxyProcess _proxy = new();
    private readonly int _http = NodeFixture.FreePort();
    private readonly int _h2c = NodeFixture.FreePort();
    private readonly int _tls = NodeFixture.FreePort();
    private WebApplication _backend = null!;
    private TlsEcho _echo = null!;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        await _proxy.StartAsync($"""
            [proxy]
            http = "127.0.0.1:{_http}"
            h2c = "127.0.0.1:{_h2c}"
            tls = "127.0.0.1:{_tls}"
            """);
        _backend = await ProxyProcess.BackendAsync(HttpProtocols.Http1, AnswerAsync);
        _echo = await TlsEcho.StartAsync(Host);
        await RouteAsync(ProxyProcess.Port(_backend));
    }

    public async ValueTask DisposeAsync()
    {
        await _proxy.DisposeAsync();
        await _backend.DisposeAsync();
        _echo.Dispose();
    }

    [Fact]
    public async Task Three_hand_overs_under_load_refuse_and_reset_no_connection_and_end_none()
    {
        var first = _proxy.Leader;
        using var socket = await WebSocketAsync();
        Assert.Equal("before", await EchoAsync(socket, "before"));
        var stream = await TlsEcho.ConnectAsync(_tls, Host);
        Assert.Equal("before", await EchoAsync(stream, "before"));
        using var grpc = new HttpClient
        {
            DefaultRequestVersion = HttpVersion.Version20,
            DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact,
        };
        Assert.Equal("well", await GetAsync(grpc, _h2c));
        await using var load = new ConnectLoad(_http, Host, connectors: 8, keepers: 4);
        using var slowly = new HttpClient();
        var slow = GetAsync(slowly, _http, "/slow");
        await NodeFixture.UntilAsync(async () => (await InFlightAsync(first)) > 1, "the slow request is under way");
        var old = new List<Process>();
        for (var i = 1; i <= 3; i++)
        {
            await load.UntilAsync(Connects * i / 4);
            var clock = Stopwatch.StartNew();
            old.Add(await _proxy.SucceedAsync());
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"hand-over {i}: {clock.ElapsedMilliseconds} ms"));
            Assert.Equal("well", await GetAsync(grpc, _h2c));
        }

        await load.UntilAsync(Connects);
        await load.EndAsync();
        Assert.Empty(load.Failures);
        Assert.True(load.Requests > 100, $"{load.Requests} requests on kept connections");
        output.WriteLine($"{load.Connects} connects, the slowest {load.Slowest.TotalMilliseconds} ms");
        output.WriteLine($"{load.Requests} requests on kept connections");
        Assert.Equal("slow", await slow);
        // Connections that are no requests go on where they are, in the first process; the others had none, and have ended.
        Assert.Equal("after", await EchoAsync(socket, "after"));
        Assert.Equal("after", await EchoAsync(stream, "after"));
        Assert.False(old[0].HasExited);
        foreach (var process in old)
            output.WriteLine($"process {process.Id}: {Memory(process.Id)} kB");
        output.WriteLine($"process {_proxy.Leader}: {Memory(_proxy.Leader)} kB");
        await NodeFixture.UntilAsync(() => Task.FromResult(old[1].HasExited && old[2].HasExited), "those without connections have ended");
        socket.Dispose();
        await stream.DisposeAsync();
        slowly.Dispose();
        await NodeFixture.UntilAsync(() => Task.FromResult(old[0].HasExited), "the first has ended after its last connection");
        Assert.Equal(0, old[0].ExitCode);
        Assert.Equal(["p." + _proxy.Leader], Directory.GetFiles(_proxy.State, "p.*").Select(Path.GetFileName));
    }

    [Fact]
    public async Task The_one_before_answers_for_what_is_on_its_way_and_follows_the_routes()
    {
        using var socket = await WebSocketAsync();
        using var kept = new HttpClient();
        Assert.Equal("well", await GetAsync(kept, _http));
        var port = ProxyProcess.Port(_backend);
        var old = await _proxy.SucceedAsync();
        Assert.Equal("1", await _proxy.InFlightAsync(port, process: old.Id));
        Assert.Equal("0", await _proxy.InFlightAsync(port, "requests", old.Id));
        Assert.Equal("0", await _proxy.InFlightAsync(port));
        await using var next = await ProxyProcess.BackendAsync(HttpProtocols.Http1, context => context.Response.WriteAsync("next"));
        var stored = await File.ReadAllTextAsync(Path.Combine(_proxy.State, "routes.json"), Ct);
        await RouteAsync(ProxyProcess.Port(next), old.Id);
        // The file is the new one's.
        Assert.Equal(stored, await File.ReadAllTextAsync(Path.Combine(_proxy.State, "routes.json"), Ct));
        using var last = await SendAsync(kept, _http);
        Assert.Equal("next", await last.Content.ReadAsStringAsync(Ct));
        Assert.True(last.Headers.ConnectionClose);
        Assert.Equal("well", await GetAsync(kept, _http));
    }

    [Fact]
    public async Task Only_the_same_addresses_are_handed_over()
    {
        var (http, toml) = (NodeFixture.FreePort(), Path.Combine(_proxy.State, "agent.toml"));
        await using var load = new ConnectLoad(_http, Host, connectors: 4, keepers: 2);
        await load.UntilAsync(500);
        var text = await File.ReadAllTextAsync(toml, Ct);
        var changed = text.Replace($"h2c = \"127.0.0.1:{_h2c}\"", $"overlay = \"127.0.0.1:{http}\"", StringComparison.Ordinal);
        await File.WriteAllTextAsync(toml, changed, Ct);
        await _proxy.SucceedAsync();
        await load.UntilAsync(1500);
        await load.EndAsync();
        Assert.Empty(load.Failures);
        Assert.True(await ListensAsync(http));
        Assert.False(await ListensAsync(_h2c));
    }

    // What is not sent yet when the server closes is the kernel's to send.
    [Fact]
    public async Task A_client_that_reads_slowly_gets_the_whole_of_an_answer_after_hand_overs()
    {
        for (var i = 0; i < 3; i++)
        {
            using var client = new TcpClient { ReceiveBufferSize = 16 * 1024 };
            await client.ConnectAsync(IPAddress.Loopback, _http, Ct);
            var stream = client.GetStream();
            await stream.WriteAsync(Encoding.ASCII.GetBytes($"GET /large HTTP/1.1\r\nHost: {Host}\r\nConnection: close\r\n\r\n"), Ct);
            await Task.Delay(TimeSpan.FromSeconds(1), Ct);
            using var read = new MemoryStream();
            await stream.CopyToAsync(read, Ct);
            Assert.True(read.Length > Large, $"{read.Length} bytes came after {i} hand-overs");
            await _proxy.SucceedAsync();
        }
    }

    [Fact]
    public async Task One_that_ends_before_it_is_ready_changes_nothing()
    {
        var before = _proxy.Leader;
        using (var other = new TcpListener(IPAddress.Loopback, NodeFixture.FreePort()))
        {
            other.Start();
            var toml = Path.Combine(_proxy.State, "agent.toml");
            var text = await File.ReadAllTextAsync(toml, Ct);
            await using var load = new ConnectLoad(_http, Host, connectors: 4, keepers: 2);
            await load.UntilAsync(500);
            // Its last address cannot be had.
            var changed = text.Replace($"tls = \"127.0.0.1:{_tls}\"", $"tls = \"{other.LocalEndpoint}\"", StringComparison.Ordinal);
            await File.WriteAllTextAsync(toml, changed, Ct);
            var begun = _proxy.Begin();
            await NodeFixture.UntilAsync(() => Task.FromResult(begun.HasExited), "it has ended");
            Assert.NotEqual(0, begun.ExitCode);
            await File.WriteAllTextAsync(toml, text, Ct);
            await load.UntilAsync(load.Connects + 500);
            await load.EndAsync();
            Assert.Empty(load.Failures);
        }

        Assert.Equal($"p.{before}", _proxy.LinkedTo());
        using var http = new HttpClient();
        Assert.Equal("well", await GetAsync(http, _http));
        await _proxy.SucceedAsync();
        Assert.Equal("well", await GetAsync(http, _http));
    }

    [Fact]
    public async Task Whichever_of_the_two_is_killed_at_whatever_moment_one_is_left_that_listens_and_can_be_succeeded()
    {
        using var http = new HttpClient(new SocketsHttpHandler { PooledConnectionLifetime = TimeSpan.Zero });
        for (var i = 0; i < 40; i++)
        {
            var before = _proxy.Process;
            var begun = _proxy.Begin();
            await Task.Delay(i / 2 * 30, Ct);
            if (i % 2 == 0)
                begun.Kill();
            else
                before.Kill();
            await _proxy.TakeOverAsync();
            Assert.Equal("well", await GetAsync(http, _http));
            // And no other is left.
            await NodeFixture.UntilAsync(
                () => Task.FromResult(
                    Directory.GetFiles(_proxy.State, "p.*").Count(f => Directory.Exists($"/proc/{f.Split('.')[^1]}")) == 1),
                "one is left");
            Assert.Equal($"p.{_proxy.Leader}", _proxy.LinkedTo());
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Whichever_of_the_two_hangs_in_the_middle_is_killed_by_the_other(bool isNew)
    {
        var before = _proxy.Process;
        await using var load = new ConnectLoad(_http, Host, connectors: 4, keepers: 0);
        await load.UntilAsync(100);
        var begun = _proxy.Begin();
        while (!Sockets(begun.Id).Any(Sockets(before.Id).Contains))
            await Task.Delay(1, Ct);
        var hung = isNew ? begun : before;
        NodeFixture.Succeeded(await Command.RunAsync("kill", ["-STOP", $"{hung.Id}"]));
        await NodeFixture.UntilAsync(() => Task.FromResult(hung.HasExited), "the other one has killed it");
        Assert.Equal($"p.{(isNew ? before : begun).Id}", _proxy.LinkedTo());
        await load.UntilAsync(load.Connects + 100);
        await load.EndAsync();
        // What that one had taken hung with it.
        Assert.InRange(load.Failures.Count, 0, 4);
        Assert.DoesNotContain(load.Failures, f => f.Contains("refused", StringComparison.OrdinalIgnoreCase));
        if (!isNew)
            await _proxy.TakeOverAsync();
    }

    [Fact]
    public async Task The_public_entrance_and_the_overlay_are_handed_over_with_their_certificates()
    {
        await using var pair = new EdgePair();
        await pair.StartAsync();
        await pair.RouteAsync("shop.example.com", "shop", ProxyProcess.Port(_backend));
        using var ended = new CancellationTokenSource();
        var failures = new System.Collections.Concurrent.ConcurrentBag<string>();
        var answered = 0;
        var clients = new[] { HttpVersion.Version11, HttpVersion.Version20 }.Select(version => Task.Run(async () =>
        {
            while (!ended.IsCancellationRequested)
            {
                // A connection for every ten requests.
                using var client = pair.Client(version);
                for (var i = 0; i < 10; i++)
                {
                    try
                    {
                        Assert.Equal("well", await client.GetStringAsync(pair.Url("shop.example.com"), CancellationToken.None));
                        Interlocked.Increment(ref answered);
                    }
                    catch (HttpRequestException e)
                    {
                        failures.Add(e.ToString());
                    }
                }
            }
        })).ToList();
        for (var i = 0; i < 3; i++)
        {
            var enough = answered + 100;
            await NodeFixture.UntilAsync(() => Task.FromResult(answered > enough), "requests of the public");
            await pair.Edge.SucceedAsync();
            await pair.Worker.SucceedAsync();
        }

        await ended.CancelAsync();
        await Task.WhenAll(clients);
        Assert.Empty(failures);
    }

    private static async Task AnswerAsync(HttpContext context)
    {
        if (context.WebSockets.IsWebSocketRequest)
        {
            using var socket = await context.WebSockets.AcceptWebSocketAsync();
            var buffer = new byte[100];
            while (await socket.ReceiveAsync(buffer.AsMemory(), context.RequestAborted) is { MessageType: WebSocketMessageType.Text } read)
                await socket.SendAsync(buffer.AsMemory(0, read.Count), WebSocketMessageType.Text, true, context.RequestAborted);
            return;
        }

        if (context.Request.Path == "/large")
        {
            context.Response.ContentLength = Large;
            await context.Response.Body.WriteAsync(new byte[Large]);
            return;
        }

        var slow = context.Request.Path == "/slow";
        if (slow)
            await Task.Delay(s_slow, context.RequestAborted);
        context.Response.ContentLength = 4;
        await context.Response.WriteAsync(slow ? "slow" : "well");
    }

    private Task RouteAsync(int port, int? process = null) => _proxy.PushAsync(
        new
        {
            Routes = new[]
            {
                new { Host, Port = port, PassThrough = false },
                new { Host, Port = _echo.Port, PassThrough = true },
            },
        },
        process);

    private async Task<int> InFlightAsync(int process) => int.Parse(
        await _proxy.InFlightAsync(ProxyProcess.Port(_backend), process: process), CultureInfo.InvariantCulture);

    private async Task<ClientWebSocket> WebSocketAsync()
    {
        var socket = new ClientWebSocket();
        socket.Options.SetRequestHeader("Host", Host);
        await socket.ConnectAsync(new Uri($"ws://127.0.0.1:{_http}/"), Ct);
        return socket;
    }

    private static async Task<string> EchoAsync(ClientWebSocket socket, string text)
    {
        await socket.SendAsync(Encoding.ASCII.GetBytes(text), WebSocketMessageType.Text, true, Ct);
        var buffer = new byte[100];
        return Encoding.ASCII.GetString(buffer, 0, (await socket.ReceiveAsync(buffer.AsMemory(), Ct)).Count);
    }

    private static async Task<string> EchoAsync(SslStream stream, string text)
    {
        await stream.WriteAsync(Encoding.ASCII.GetBytes(text), Ct);
        var buffer = new byte[text.Length];
        await stream.ReadExactlyAsync(buffer, Ct);
        return Encoding.ASCII.GetString(buffer);
    }

    private static Task<string> GetAsync(HttpClient http, int port, string path = "/") => Task.Run(async () =>
    {
        using var response = await SendAsync(http, port, path);
        return await response.Content.ReadAsStringAsync(Ct);
    });

    private static async Task<HttpResponseMessage> SendAsync(HttpClient http, int port, string path = "/")
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri($"http://127.0.0.1:{port}{path}"));
        request.Version = http.DefaultRequestVersion;
        request.VersionPolicy = http.DefaultVersionPolicy;
        request.Headers.Host = Host;
        return await http.SendAsync(request, Ct);
    }

    private static async Task<bool> ListensAsync(int port)
    {
        using var client = new TcpClient();
        try
        {
            await client.ConnectAsync(IPAddress.Loopback, port, Ct);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    private static HashSet<string> Sockets(int process) => [.. Directory.GetFiles($"/proc/{process}/fd")
        .Select(f => new FileInfo(f).LinkTarget)
        .OfType<string>()
        .Where(t => t.StartsWith("socket:", StringComparison.Ordinal))];

    private static string Memory(int process) => File.Exists($"/proc/{process}/status")
        ? File.ReadLines($"/proc/{process}/status").First(l => l.StartsWith("VmRSS", StringComparison.Ordinal)).Split(' ')[^2]
        : "0";
}
