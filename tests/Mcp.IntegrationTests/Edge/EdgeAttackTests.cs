using System.Diagnostics;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Text;
using Mcp.IntegrationTests.Hosts;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Mcp.IntegrationTests.Edge;

/// <summary>What the public tries.</summary>
public sealed class EdgeAttackTests : IAsyncLifetime
{
    private readonly EdgePair _pair = new();

    public async ValueTask InitializeAsync() => await _pair.StartAsync();

    public ValueTask DisposeAsync() => _pair.DisposeAsync();

    [Theory]
    [InlineData("-tls1_1", false)]
    [InlineData("-tls1_2", true)]
    [InlineData("-tls1_3", true)]
    [InlineData("-tls1_2 -cipher AES128-SHA", false)]
    [InlineData("-tls1_2 -cipher ECDHE-ECDSA-AES128-SHA256", false)]
    [InlineData("-tls1_2 -cipher AES256-GCM-SHA384", false)]
    [InlineData("-tls1_2 -cipher ECDHE-ECDSA-AES256-GCM-SHA384", true)]
    [InlineData("-tls1_2 -cipher ECDHE-ECDSA-CHACHA20-POLY1305", true)]
    [InlineData("", true)]
    public async Task Tls_is_new_and_its_suites_are_strong(string asked, bool spoken)
    {
        await _pair.RouteAsync("a.example.com", "a", 1);
        var (exitCode, output, error) = await Command.RunAsync(
            "bash",
            [
                "-c",
                "exec timeout 20 openssl \"$@\" < /dev/null",
                "openssl",
                "s_client",
                "-connect",
                $"127.0.0.1:{_pair.Https}",
                "-servername",
                "a.example.com",
                "-CAfile",
                _pair.CaFile,
                "-verify_hostname",
                "a.example.com",
                "-verify_return_error",
                "-showcerts",
                .. asked.Split(' ', StringSplitOptions.RemoveEmptyEntries),
            ]);
        Assert.True((exitCode == 0) == spoken, output + error);
        if (!spoken)
            return;
        Assert.Contains("Verify return code: 0 (ok)", output, StringComparison.Ordinal);
        if (asked.Length == 0)
            Assert.Contains("TLSv1.3", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Tls_sessions_are_resumed()
    {
        await _pair.RouteAsync("a.example.com", "a", 1);
        var session = Path.Combine(_pair.Edge.State, "session");
        string[] connect = ["s_client", "-connect", $"127.0.0.1:{_pair.Https}", "-servername", "a.example.com", "-tls1_2"];
        await Command.RunAsync("bash", ["-c", "exec timeout 20 openssl \"$@\" < /dev/null", "openssl", .. connect, "-sess_out", session]);
        Assert.Contains(
            "Reused, TLSv1.2",
            (await Command.RunAsync(
                "bash",
                ["-c", "exec timeout 20 openssl \"$@\" < /dev/null", "openssl", .. connect, "-sess_in", session])).Output,
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_connection_for_one_host_asks_for_no_other_and_unknown_names_get_no_certificate()
    {
        await using var mine = await ProxyProcess.BackendAsync(HttpProtocols.Http1, context => context.Response.WriteAsync("mine"));
        await using var yours = await ProxyProcess.BackendAsync(HttpProtocols.Http1, context => context.Response.WriteAsync("yours"));
        await _pair.RouteAsync("mine.example.com", "mine", ProxyProcess.Port(mine));
        await _pair.RouteAsync("yours.example.com", "yours", ProxyProcess.Port(yours));
        foreach (var host in (string[])[
            "yours.example.com",
            "mine.example.com.",
            "mine.example.com.evil.org",
            "127.0.0.1",
            "mine.mcp.internal",
            "localhost",
        ])
        {
            Assert.StartsWith(
                "HTTP/1.1 421 ",
                await RawAsync("mine.example.com", $"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"),
                StringComparison.Ordinal);
        }

        // In the request's line it counts more than the header.
        Assert.StartsWith(
            "HTTP/1.1 4",
            await RawAsync(
                "mine.example.com",
                "GET https://yours.example.com/ HTTP/1.1\r\nHost: mine.example.com\r\nConnection: close\r\n\r\n"),
            StringComparison.Ordinal);
        Assert.EndsWith(
            "mine",
            (await RawAsync(
                "mine.example.com",
                "GET / HTTP/1.1\r\nHost: mine.example.com\r\nConnection: close\r\n\r\n")).TrimEnd('\r', '\n', '0'),
            StringComparison.Ordinal);
        await Assert.ThrowsAnyAsync<Exception>(() => RawAsync("other.example.com", "GET / HTTP/1.1\r\n\r\n"));
        await Assert.ThrowsAnyAsync<Exception>(() => RawAsync("", "GET / HTTP/1.1\r\n\r\n"));
    }

    [Fact]
    public async Task A_backend_is_believed_only_with_a_certificate_for_the_services_name()
    {
        await using var backend = await ProxyProcess.BackendAsync(HttpProtocols.Http1, context => context.Response.WriteAsync("well"));
        await _pair.RouteAsync("a.example.com", "a", ProxyProcess.Port(backend));
        using var http = _pair.Client();
        Assert.Equal("well", await http.GetStringAsync(_pair.Url("a.example.com")));
        // The same worker, under the name of a service that is elsewhere.
        await _pair.ChangeAsync("a.example.com", r => r with { Backend = "b.mcp.internal" });
        using var other = await http.GetAsync(_pair.Url("a.example.com"));
        Assert.Equal(HttpStatusCode.BadGateway, other.StatusCode);
        // One that speaks no TLS at all.
        await _pair.ChangeAsync("a.example.com", r => r with { Backend = "a.mcp.internal", Port = ProxyProcess.Port(backend) });
        using var clear = await http.GetAsync(_pair.Url("a.example.com"));
        Assert.Equal(HttpStatusCode.BadGateway, clear.StatusCode);
    }

    [Theory]
    [InlineData("POST / HTTP/1.1\r\nHost: a.example.com\r\nContent-Length: 35\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /smuggled "
        + "HTTP/1.1\r\nX: y\r\n\r\n")]
    [InlineData("POST / HTTP/1.1\r\nHost: a.example.com\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\nGET "
        + "/smuggled HTTP/1.1\r\nX: y\r\n\r\n")]
    [InlineData("POST / HTTP/1.1\r\nHost: a.example.com\r\nTransfer-Encoding: xchunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\nGET /smuggled "
        + "HTTP/1.1\r\nX: y\r\n\r\n")]
    [InlineData("POST / HTTP/1.1\r\nHost: a.example.com\r\nTransfer-Encoding : chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\nGET /smuggled "
        + "HTTP/1.1\r\nX: y\r\n\r\n")]
    [InlineData("POST / HTTP/1.1\r\nHost: a.example.com\r\nTransfer-Encoding:\u000bchunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\nGET "
        + "/smuggled HTTP/1.1\r\nX: y\r\n\r\n")]
    [InlineData("POST / HTTP/1.1\r\nHost: a.example.com\r\nContent-Length: 0\r\nContent-Length: 44\r\n\r\nGET /smuggled HTTP/1.1\r\nX: "
        + "y\r\n\r\n")]
    [InlineData("POST / HTTP/1.1\r\nHost: a.example.com\r\nContent-Length: +0\r\n\r\nGET /smuggled HTTP/1.1\r\nX: y\r\n\r\n")]
    [InlineData("POST / HTTP/1.1\r\nHost: a.example.com\r\nContent-Length: 0x0\r\n\r\nGET /smuggled HTTP/1.1\r\nX: y\r\n\r\n")]
    [InlineData("GET / HTTP/1.1\r\nHost: a.example.com\r\nX: y\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nX: "
        + "y\r\n\r\n")]
    [InlineData("GET / HTTP/1.1\r\nHost: a.example.com\r\nX: y\rGET /smuggled HTTP/1.1\r\n\r\n")]
    [InlineData("POST / HTTP/1.1\r\nHost: a.example.com\r\nTransfer-Encoding: chunked\r\n\r\n1;x=\"\nfoo\"\r\nZ\r\n0\r\n\r\nGET /smuggled "
        + "HTTP/1.1\r\nX: y\r\n\r\n")]
    [InlineData("GET / HTTP/1.1\r\nHost: a.example.com\r\nHost: b.example.com\r\n\r\n")]
    public async Task What_is_two_requests_to_one_reader_is_never_one_to_the_other(string bytes)
    {
        var seen = new System.Collections.Concurrent.ConcurrentQueue<string>();
        await using var backend = await ProxyProcess.BackendAsync(HttpProtocols.Http1, async context =>
        {
            await context.Request.Body.CopyToAsync(Stream.Null);
            seen.Enqueue($"{context.Request.Method} {context.Request.Path} {context.Request.Host.Host}");
            await context.Response.WriteAsync("well");
        });
        await _pair.RouteAsync("a.example.com", "a", ProxyProcess.Port(backend));
        var answer = await RawAsync("a.example.com", bytes);
        // The backend sees the second request only where the first hop saw it as one too, and answered it as one; in what came as the first
        // it never is.
        Assert.Equal(seen.Count, answer.Split("HTTP/1.1 200").Length - 1);
        Assert.All(seen, s => Assert.EndsWith(" a.example.com", s, StringComparison.Ordinal));
        // Somebody else's request on the same backend connection gets its own answer.
        using var http = _pair.Client();
        Assert.Equal("well", await http.GetStringAsync(_pair.Url("a.example.com", "/next")));
        Assert.Equal("GET /next a.example.com", seen.Last());
    }

    [Theory]
    [InlineData("/../../etc/passwd")]
    [InlineData("/a/%2e%2e/%2e%2e/b")]
    [InlineData("/a%2fb")]
    [InlineData("//evil.org/x")]
    [InlineData("/a\\..\\b")]
    [InlineData("/%c3%a4?x=%26%2f")]
    [InlineData("/routes")]
    [InlineData("/in-flight/1")]
    [InlineData("/metrics")]
    public async Task A_path_goes_to_the_service_as_it_is_and_nowhere_else(string path)
    {
        await using var backend = await ProxyProcess.BackendAsync(
            HttpProtocols.Http1,
            context => context.Response.WriteAsync($"<{context.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget}>"));
        await _pair.RouteAsync("a.example.com", "a", ProxyProcess.Port(backend));
        var answer = await RawAsync("a.example.com", $"GET {path} HTTP/1.1\r\nHost: a.example.com\r\nConnection: close\r\n\r\n");
        Assert.True(answer.Contains($"<{path}>", StringComparison.Ordinal), answer);
    }

    [Theory]
    [InlineData("TRACE / HTTP/1.1", 405)]
    [InlineData("CONNECT a.example.com:443 HTTP/1.1", 405)]
    [InlineData("GET / HTTP/1.0", 421)]
    [InlineData("GET /%00 HTTP/1.1", 400)]
    [InlineData("GET http://[::1 HTTP/1.1", 400)]
    public async Task What_is_no_request_for_a_service_is_refused(string line, int status)
    {
        await _pair.RouteAsync("a.example.com", "a", 1);
        var host = line.StartsWith("CONNECT", StringComparison.Ordinal) ? "a.example.com:443" : "a.example.com";
        var headers = line.EndsWith("1.0", StringComparison.Ordinal) ? "" : $"Host: {host}\r\n";
        Assert.StartsWith(
            $"HTTP/1.1 {status} ",
            await RawAsync("a.example.com", $"{line}\r\n{headers}Connection: close\r\n\r\n"),
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task Long_headers_are_refused()
    {
        await _pair.RouteAsync("a.example.com", "a", 1);
        Assert.StartsWith(
            "HTTP/1.1 431 ",
            await RawAsync("a.example.com", $"GET / HTTP/1.1\r\nHost: a.example.com\r\nX: {new string('x', 40_000)}\r\n\r\n"),
            StringComparison.Ordinal);
        Assert.StartsWith(
            "HTTP/1.1 414 ",
            await RawAsync("a.example.com", $"GET /{new string('x', 10_000)} HTTP/1.1\r\nHost: a.example.com\r\n\r\n"),
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task Ten_thousand_slow_clients_keep_nobody_from_being_served()
    {
        await using var backend = await ProxyProcess.BackendAsync(HttpProtocols.Http1, context => context.Response.WriteAsync("well"));
        await _pair.RouteAsync("a.example.com", "a", ProxyProcess.Port(backend));
        var slow = new List<Socket>();
        try
        {
            // One source has about 28,000 ports; each sends half a request line, or half of a TLS handshake.
            foreach (var i in Enumerable.Range(0, 10_000))
            {
                var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
                slow.Add(socket);
                await socket.ConnectAsync(IPAddress.Loopback, i % 2 == 0 ? _pair.Http : _pair.Https);
                await socket.SendAsync(i % 2 == 0 ? "GET / HT"u8.ToArray() : new byte[] { 22, 3, 1 });
            }

            using var http = _pair.Client();
            var clock = Stopwatch.StartNew();
            for (var i = 0; i < 100; i++)
                Assert.Equal("well", await http.GetStringAsync(_pair.Url("a.example.com")));
            Assert.True(clock.Elapsed < TimeSpan.FromSeconds(5), $"100 requests took {clock.Elapsed}");
            // And they are sent away: each gets an answer that refuses, or an end.
            var waiting = slow.Take(500).Select(async s =>
            {
                try
                {
                    var buffer = new byte[1000];
                    while (await s.ReceiveAsync(buffer).WaitAsync(TimeSpan.FromSeconds(40)) > 0)
                    {
                    }
                }
                catch (SocketException)
                {
                    // Reset: away too.
                }
            });
            await Task.WhenAll(waiting);
        }
        finally
        {
            slow.ForEach(s => s.Dispose());
        }
    }

    // Bytes over TLS as they are, and what comes back until the end, or until nothing has come for a while.
    private async Task<string> RawAsync(string name, string bytes)
    {
        using var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, _pair.Https);
        await using var tls = new SslStream(client.GetStream());
        await tls.AuthenticateAsClientAsync(new SslClientAuthenticationOptions
        {
            TargetHost = name,
            RemoteCertificateValidationCallback = (_, _, _, _) => true,
        });
        await tls.WriteAsync(Encoding.Latin1.GetBytes(bytes));
        var (answer, buffer) = (new StringBuilder(), new byte[65536]);
        try
        {
            // The first bytes may take their time on a busy machine.
            while (await tls.ReadAsync(buffer).AsTask().WaitAsync(TimeSpan.FromSeconds(answer.Length == 0 ? 5 : 1)) is var read and > 0)
                answer.Append(Encoding.Latin1.GetString(buffer, 0, read));
        }
        catch (Exception e) when (e is TimeoutException or IOException)
        {
            // Kept alive, or ended.
        }

        return answer.ToString();
    }
}
