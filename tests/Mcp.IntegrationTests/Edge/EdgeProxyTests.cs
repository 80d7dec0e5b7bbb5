using System.Net;
using System.Net.WebSockets;
using System.Text;
using Mcp.IntegrationTests.Hosts;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Mcp.IntegrationTests.Edge;

/// <summary>What the public gets: two hops over TLS, from an edge node's proxy to a worker's.</summary>
public sealed class EdgeProxyTests : IAsyncLifetime
{
    private readonly EdgePair _pair = new();

    public async ValueTask InitializeAsync() => await _pair.StartAsync("hsts = \"24h\"\nbody_mb = 1");

    public ValueTask DisposeAsync() => _pair.DisposeAsync();

    [Theory]
    [InlineData("1.1")]
    [InlineData("2.0")]
    public async Task A_request_is_passed_on_and_says_who_asked_and_nothing_that_the_client_made_up(string version)
    {
        await using var backend = await ProxyProcess.BackendAsync(HttpProtocols.Http1, async context =>
        {
            context.Response.Headers.StrictTransportSecurity = "max-age=1";
            await context.Response.WriteAsync(string.Join(
                "|",
                context.Request.Headers
                    .Where(h => h.Key is "Host" or "Forwarded" or "X-Real-IP"
                        || h.Key.StartsWith("X-Forwarded", StringComparison.OrdinalIgnoreCase))
                    .OrderBy(h => h.Key, StringComparer.Ordinal)
                    .Select(h => $"{h.Key}={h.Value}")));
        });
        await _pair.RouteAsync("a.example.com", "a", ProxyProcess.Port(backend));
        using var http = _pair.Client(Version.Parse(version));
        using var request = new HttpRequestMessage(
            HttpMethod.Get,
            _pair.Url("a.example.com"))
        { Version = http.DefaultRequestVersion, VersionPolicy = HttpVersionPolicy.RequestVersionExact };
        foreach (var forged in (string[])[
            "X-Forwarded-For",
            "Forwarded",
            "X-Forwarded-Host",
            "X-Forwarded-Proto",
            "X-Forwarded-Port",
            "X-Real-IP",
        ])
        {
            request.Headers.TryAddWithoutValidation(forged, "6.6.6.6");
        }

        using var response = await http.SendAsync(request);
        Assert.Equal(version, response.Version.ToString());
        Assert.Equal(
            $"Forwarded=for=127.0.0.1;host=\"a.example.com:{_pair.Https}\";proto=https|Host=a.example.com:{_pair.Https}|X-Forwarded-For=127.0.0.1|X-Forwarded-Host=a.example.com:{_pair.Https}|X-Forwarded-Proto=https",
            await response.Content.ReadAsStringAsync());
        Assert.Equal("max-age=86400", response.Headers.GetValues("Strict-Transport-Security").Single());
    }

    [Fact]
    public async Task Another_node_that_shows_no_certificate_of_the_fleet_cannot_say_who_asked()
    {
        await using var backend = await ProxyProcess.BackendAsync(
            HttpProtocols.Http1,
            context => context.Response.WriteAsync(context.Request.Headers["X-Forwarded-For"].ToString()));
        await _pair.RouteAsync("a.example.com", "a", ProxyProcess.Port(backend));
        using var http = _pair.Client();
        using var request = new HttpRequestMessage(
            HttpMethod.Get,
            new Uri($"https://a.mcp.internal:{_pair.Overlay}/"))
        { Headers = { Host = "a.example.com" } };
        request.Headers.TryAddWithoutValidation("X-Forwarded-For", "6.6.6.6");
        // The name in TLS is taken from the Host header, and the worker has no certificate for that one.
        await Assert.ThrowsAsync<HttpRequestException>(() => http.SendAsync(request));
        var (_, told, _) = await Command.RunAsync(
            "curl",
            [
                "-sS",
                "--cacert",
                _pair.CaFile,
                "--resolve",
                $"a.mcp.internal:{_pair.Overlay}:127.0.0.1",
                "-H",
                "Host: a.example.com",
                "-H",
                "X-Forwarded-For: 6.6.6.6",
                $"https://a.mcp.internal:{_pair.Overlay}/",
            ]);
        Assert.Equal("127.0.0.1", told);
    }

    [Fact]
    public async Task Http_leads_to_https_and_knows_the_answers_for_acme()
    {
        await _pair.RouteAsync("a.example.com", "a", 1);
        using var http = _pair.Client();
        using var redirected = await http.PostAsync(new Uri($"http://a.example.com:{_pair.Http}/x%2Fy/z?q=1&r=%C3%A4"), null);
        Assert.Equal(HttpStatusCode.PermanentRedirect, redirected.StatusCode);
        Assert.Equal($"https://a.example.com:{_pair.Https}/x%2Fy/z?q=1&r=%C3%A4", redirected.Headers.Location!.OriginalString);
        using var unknown = await http.GetAsync(new Uri($"http://evil.example.com:{_pair.Http}/"));
        Assert.Equal(HttpStatusCode.NotFound, unknown.StatusCode);

        var challenges = Directory.CreateDirectory(Path.Combine(
            _pair.Edge.State,
            "edge",
            "acme",
            "root",
            ".well-known",
            "acme-challenge")).FullName;
        await File.WriteAllTextAsync(Path.Combine(challenges, "token-1_x"), "token-1_x.thumb");
        Assert.Equal(
            "token-1_x.thumb",
            await http.GetStringAsync(new Uri($"http://new.example.com:{_pair.Http}/.well-known/acme-challenge/token-1_x")));
        await File.WriteAllTextAsync(Path.Combine(_pair.Edge.State, "edge", "acme", "root", "secret"), "secret");
        foreach (var trick in (string[])[
            "../../secret",
            "..%2f..%2fsecret",
            "%2e%2e/%2e%2e/secret",
            "token-1_x/../../../secret",
            "token-1_x%00",
            ".",
            "",
            "nothing-here",
        ])
        {
            var (_, answer, _) = await Command.RunAsync(
                "curl",
                [
                    "-sS",
                    "--path-as-is",
                    "-H",
                    "Host: new.example.com",
                    $"http://127.0.0.1:{_pair.Http}/.well-known/acme-challenge/{trick}",
                ]);
            Assert.DoesNotContain(
                "secret",
                answer.Replace("no route for this host", "", StringComparison.Ordinal),
                StringComparison.Ordinal);
            Assert.DoesNotContain("thumb", answer, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("1.1")]
    [InlineData("2.0")]
    public async Task A_web_socket_is_carried(string version)
    {
        await using var backend = await ProxyProcess.BackendAsync(HttpProtocols.Http1, async context =>
        {
            using var socket = await context.WebSockets.AcceptWebSocketAsync();
            var buffer = new byte[100];
            var read = await socket.ReceiveAsync(buffer.AsMemory(), default);
            await socket.SendAsync(buffer.AsMemory(0, read.Count), WebSocketMessageType.Text, true, default);
            await socket.CloseAsync(WebSocketCloseStatus.NormalClosure, null, default);
        });
        await _pair.RouteAsync("ws.example.com", "ws", ProxyProcess.Port(backend));
        using var invoker = new HttpMessageInvoker(_pair.Handler());
        using var client = new ClientWebSocket
        {
            Options =
        {
            HttpVersion = Version.Parse(version),
            HttpVersionPolicy = HttpVersionPolicy.RequestVersionExact,
        }
        };
        await client.ConnectAsync(new Uri($"wss://ws.example.com:{_pair.Https}/"), invoker, default);
        await client.SendAsync("over and out"u8.ToArray(), WebSocketMessageType.Text, true, default);
        var buffer = new byte[100];
        var read = await client.ReceiveAsync(buffer.AsMemory(), default);
        Assert.Equal("over and out", Encoding.UTF8.GetString(buffer, 0, read.Count));
        await client.CloseAsync(WebSocketCloseStatus.NormalClosure, null, default);
    }

    [Fact]
    public async Task A_grpc_call_arrives_as_http2_without_a_limit_and_its_trailers_come_back()
    {
        await using var backend = await ProxyProcess.BackendAsync(HttpProtocols.Http2, async context =>
        {
            context.Response.ContentType = "application/grpc";
            context.Response.DeclareTrailer("grpc-status");
            var length = 0L;
            var buffer = new byte[65536];
            for (var read = -1; read != 0; length += read)
                read = await context.Request.Body.ReadAsync(buffer);
            await context.Response.WriteAsync($"{length}");
            context.Response.AppendTrailer("grpc-status", context.Request.Protocol == "HTTP/2" ? "0" : "13");
        });
        await _pair.RouteAsync("grpc.example.com", "grpc", ProxyProcess.Port(backend));
        using var http = _pair.Client(HttpVersion.Version20);
        using var request = new HttpRequestMessage(HttpMethod.Post, _pair.Url("grpc.example.com", "/x.Y/Z"))
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Headers = { TE = { new("trailers") } },
            Content = new ByteArrayContent(new byte[3_000_000]) { Headers = { ContentType = new("application/grpc") } },
        };
        using var response = await http.SendAsync(request);
        Assert.Equal("3000000", await response.Content.ReadAsStringAsync());
        Assert.Equal("0", response.TrailingHeaders.GetValues("grpc-status").Single());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_body_over_the_limit_is_refused_whether_its_length_is_told_or_not(bool chunked)
    {
        await using var backend = await ProxyProcess.BackendAsync(HttpProtocols.Http1, async context =>
        {
            await context.Request.Body.CopyToAsync(Stream.Null);
            await context.Response.WriteAsync("swallowed");
        });
        await _pair.RouteAsync("a.example.com", "a", ProxyProcess.Port(backend));
        using var http = _pair.Client();
        using var within = new HttpRequestMessage(
            HttpMethod.Post,
            _pair.Url("a.example.com"))
        {
            Content = new ByteArrayContent(new byte[1_000_000]),
            Headers = { TransferEncodingChunked = chunked },
        };
        using var passed = await http.SendAsync(within);
        Assert.Equal("swallowed", await passed.Content.ReadAsStringAsync());
        var (_, status, _) = await Command.RunAsync(
            "bash",
            [
                "-c",
                $"head -c 3000000 /dev/zero | curl -sS -o /dev/null -w '%{{http_code}}' --cacert {_pair.CaFile} --resolve "
                    + $"a.example.com:{_pair.Https}:127.0.0.1 {(chunked ? "-H 'Transfer-Encoding: chunked'" : "")} -H 'Expect:' "
                    + $"--data-binary @- https://a.example.com:{_pair.Https}/",
            ]);
        Assert.Equal("413", status);
    }

    [Fact]
    public async Task Each_request_is_in_the_access_log_and_in_the_metrics_without_what_may_be_secret()
    {
        await using var backend = await ProxyProcess.BackendAsync(HttpProtocols.Http1, context => context.Response.WriteAsync("well"));
        await _pair.RouteAsync("a.example.com", "a", ProxyProcess.Port(backend));
        using var http = _pair.Client();
        Assert.Equal("well", await http.GetStringAsync(_pair.Url("a.example.com", "/page?token=hush")));
        var log = Path.Combine(_pair.Edge.State, "edge", "access.log");
        await NodeFixture.UntilAsync(() => Task.FromResult(File.Exists(log) && new FileInfo(log).Length > 0), "the request is logged");
        var line = (await File.ReadAllLinesAsync(log)).Single();
        Assert.Contains(
            "\"client\":\"127.0.0.1\",\"host\":\"a.example.com\",\"service\":\"a\",\"method\":\"GET\",\"path\":\"/page\",\"protocol\":\"HTTP/1.1\",\"status\":200",
            line,
            StringComparison.Ordinal);
        Assert.DoesNotContain("hush", line, StringComparison.Ordinal);
        var metrics = await http.GetStringAsync(new Uri($"http://127.0.0.1:{_pair.Metrics}/metrics"));
        Assert.Contains("http_server_request_duration_seconds_count{", metrics, StringComparison.Ordinal);
        Assert.Contains("server_address=\"a.example.com\"", metrics, StringComparison.Ordinal);
        Assert.DoesNotContain("hush", metrics, StringComparison.Ordinal);
    }

    [Fact]
    public async Task No_request_fails_over_a_hundred_changes_of_the_route_and_each_is_live_at_once()
    {
        await using var one = await ProxyProcess.BackendAsync(HttpProtocols.Http1, context => context.Response.WriteAsync("one"));
        await using var two = await ProxyProcess.BackendAsync(HttpProtocols.Http1, context => context.Response.WriteAsync("two"));
        await _pair.RouteAsync("a.example.com", "a", ProxyProcess.Port(one), "127.0.0.1");
        using var stop = new CancellationTokenSource();
        var asking = Enumerable.Range(0, 4).Select(_ => Task.Run(async () =>
        {
            var (asked, failed) = (0, new List<string>());
            using var http = _pair.Client();
            while (!stop.IsCancellationRequested)
            {
                try
                {
                    using var response = await http.GetAsync(_pair.Url("a.example.com"));
                    if (await response.Content.ReadAsStringAsync() is not ("one" or "two") and var wrong)
                        failed.Add($"{response.StatusCode}: {wrong}");
                }
                catch (HttpRequestException e)
                {
                    failed.Add(e.ToString());
                }

                asked++;
            }

            return (asked, failed);
        })).ToList();
        using var looking = _pair.Client();
        for (var i = 0; i < 100; i++)
        {
            // Another address of the worker, and another backend there, and another certificate.
            var (expected, backend) = i % 2 == 0 ? ("two", two) : ("one", one);
            await _pair.RouteAsync("a.example.com", "a", ProxyProcess.Port(backend), "127.0.0.1");
            await _pair.ChangeAsync("a.example.com", r => r with { Addresses = [i % 2 == 0 ? "127.0.0.1" : "::ffff:127.0.0.1"] });
            Assert.Equal(expected, await looking.GetStringAsync(_pair.Url("a.example.com")));
        }

        await stop.CancelAsync();
        var results = await Task.WhenAll(asking);
        Assert.Empty(results.SelectMany(r => r.failed));
        Assert.True(results.Sum(r => r.asked) > 200, $"only {results.Sum(r => r.asked)} requests");
    }

    [Fact]
    public async Task A_request_that_is_under_way_ends_where_it_began()
    {
        var go = new TaskCompletionSource();
        await using var old = await ProxyProcess.BackendAsync(HttpProtocols.Http1, async context =>
        {
            await context.Response.WriteAsync("o");
            await context.Response.Body.FlushAsync();
            await go.Task;
            await context.Response.WriteAsync("ld");
        });
        await _pair.RouteAsync("a.example.com", "a", ProxyProcess.Port(old));
        using var http = _pair.Client();
        using var slow = await http.GetAsync(_pair.Url("a.example.com"), HttpCompletionOption.ResponseHeadersRead);
        await _pair.RemoveAsync("a.example.com");
        Assert.DoesNotContain(
            "HTTP/1.1 200",
            (await Command.RunAsync(
                "curl",
                [
                    "-sSi",
                    "-m",
                    "3",
                    "--cacert",
                    _pair.CaFile,
                    "--resolve",
                    $"a.example.com:{_pair.Https}:127.0.0.1",
                    _pair.Url("a.example.com").AbsoluteUri,
                ])).Output,
            StringComparison.Ordinal);
        go.SetResult();
        Assert.Equal("old", await slow.Content.ReadAsStringAsync());
    }
}
