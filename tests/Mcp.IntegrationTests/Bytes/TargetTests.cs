using System.Net;
using Mcp.IntegrationTests.Hosts;

namespace Mcp.IntegrationTests.Bytes;

/// <summary>Requests and answers come through every proxy as the client and the server wrote them.</summary>
public sealed class TargetTests : IAsyncLifetime
{
    private const string Odd = "résumé \u0080ÿ";
    private readonly Ways _ways = new();
    private readonly int _h2c = NodeFixture.FreePort();
    private readonly RawServer _server;
    private string _answer = "";

    public TargetTests() => _server = new RawServer((to, _, ct) => RawServer.SendAsync(to, _answer, ct));

    public async ValueTask InitializeAsync() => await _ways.StartAsync(_server.Port, proxy: $"h2c = \"127.0.0.1:{_h2c}\"");

    public async ValueTask DisposeAsync()
    {
        await _ways.DisposeAsync();
        await _server.DisposeAsync();
    }

    [Fact]
    public async Task Every_target_arrives_as_it_was_written()
    {
        _answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";
        foreach (var target in (string[])[
            "/", "/?", "/a%2Fb", "/%ff", "/%2e%2e/x", "/a/../b/./c//d", "//double//", "/%C3%A9", "/a\\b", "/%zz", "/;v=1?a+b%20c",
            "/x?a=%&b=%41~&c=x|y&d=\"z\"&e=[1]{}^`", "/q/%41%7e%2d/%2F/%2f/%252F/{x}/^y/`z", "/@scope%2fname", "/a#b", "/a?b?c=/../d", "/*",
            "/:80/http://x/", "/a;b,c=d!$&'()*+", "/" + new string('a', 6000),
        ])
        {
            foreach (var way in Ways.All)
            {
                Assert.StartsWith("HTTP/1.1 200 OK\r\n", await AskAsync(way, "GET", target), StringComparison.Ordinal);
                Assert.Equal($"GET {target} HTTP/1.1", Line());
            }

            // A client of a proxy says all of it.
            foreach (var way in (Way[])[Way.Node, Way.Overlay, Way.Edge])
            {
                await AskAsync(way, "GET", $"{(way == Way.Node ? "http" : "https")}://{Ways.Host}{target}");
                Assert.Equal($"GET {target} HTTP/1.1", Line());
            }

            using var http2 = _ways.Pair.Client(HttpVersion.Version20);
            var asIs = new UriCreationOptions { DangerousDisablePathAndQueryCanonicalization = true };
            using var request = new HttpRequestMessage(
                HttpMethod.Get, new Uri($"https://{Ways.Host}:{_ways.Pair.Https}{target}", asIs))
            { Version = HttpVersion.Version20, VersionPolicy = HttpVersionPolicy.RequestVersionExact };
            using var response = await http2.SendAsync(request);
            Assert.Equal($"GET {target} HTTP/1.1", Line());
        }
    }

    [Fact]
    public async Task A_request_of_the_whole_server_stays_one_and_a_path_that_looks_like_it_stays_a_path()
    {
        _answer = "HTTP/1.1 204 No Content\r\nAllow: GET\r\nConnection: close\r\n\r\n";
        foreach (var way in Ways.All)
        {
            foreach (var target in (string[])["*", "/*", "*", "*"])
            {
                var got = await AskAsync(way, "OPTIONS", target);
                Assert.True(got.StartsWith("HTTP/1.1 204 No Content\r\n", StringComparison.Ordinal), $"{way} {target}: {got}");
                Assert.Equal($"OPTIONS {target} HTTP/1.1", Line());
            }
        }
    }

    [Fact]
    public async Task Header_values_are_bytes_both_ways()
    {
        _answer = $"HTTP/1.1 200 OK\r\nContent-Disposition: attachment; filename=\"{Odd}\"\r\nSet-Cookie: n={Odd}\r\nSet-Cookie: m=1\r\n"
            + $"Location: /caf{Odd}/\r\nX-Odd: {Odd}\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";
        foreach (var way in Ways.All)
        {
            var answer = await AskAsync(way, "GET", "/", $"Cookie: name={Odd}; a=b\r\nX-Odd: {Odd}\r\nUser-Agent: {Odd}\r\nX-Empty:\r\n");
            var head = _server.Heads.Last();
            foreach (var line in (string[])[$"Cookie: name={Odd}; a=b", $"X-Odd: {Odd}", $"User-Agent: {Odd}"])
                Assert.Contains($"\r\n{line}\r\n", head, StringComparison.Ordinal);
            Assert.Matches("\r\nX-Empty: ?\r\n", head);
            foreach (var line in _answer.Split("\r\n")[1..6])
                Assert.Contains($"\r\n{line}\r\n", answer, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Headers_of_the_connection_end_with_it()
    {
        _answer = "HTTP/1.1 200 OK\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\nX-Stays: 1\r\nKeep-Alive: timeout=5\r\n"
            + "Content-Length: 2\r\n\r\nok";
        foreach (var way in (Way[])[Way.Node, Way.Overlay, Way.Edge])
        {
            var answer = await AskAsync(
                way, "GET", "/", "Connection: x-mine, Host, X-Forwarded-For\r\nX-Mine: 1\r\nX-Other: 1\r\nKeep-Alive: timeout=5\r\n");
            var head = _server.Heads.Last();
            Assert.DoesNotContain("X-Mine", head, StringComparison.OrdinalIgnoreCase);
            Assert.DoesNotContain("Keep-Alive", head, StringComparison.OrdinalIgnoreCase);
            Assert.Contains("X-Other: 1\r\n", head, StringComparison.Ordinal);
            Assert.Contains($"Host: {Ways.Host}\r\n", head, StringComparison.Ordinal);
            Assert.Contains("X-Forwarded-For: 127.0.0.1\r\n", head, StringComparison.Ordinal);
            Assert.DoesNotContain("X-Hop", answer, StringComparison.OrdinalIgnoreCase);
            Assert.Contains("X-Stays: 1\r\n", answer, StringComparison.Ordinal);
        }
    }

    // Beside these Kestrel forgets the others.
    [Theory]
    [InlineData("Connection: close, X-Mine")]
    [InlineData("Connection: keep-alive,x-mine")]
    [InlineData("Connection: X-Mine , Keep-Alive")]
    [InlineData("Connection: X-Mine, Upgrade")]
    [InlineData("Connection: close\r\nConnection: X-Mine")]
    [InlineData("Connection: X-Mine\r\nConnection: keep-alive")]
    public async Task What_is_named_with_the_connections_own_words_ends_with_it_too(string named)
    {
        _answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";
        foreach (var way in (Way[])[Way.Node, Way.Overlay, Way.Edge])
        {
            var got = await AskAsync(way, "GET", "/", $"{named}\r\nX-Mine: 1\r\nX-Other: 1\r\n");
            Assert.StartsWith("HTTP/1.1 200 ", got, StringComparison.Ordinal);
            var head = _server.Heads.Last();
            Assert.DoesNotContain("X-Mine", head, StringComparison.OrdinalIgnoreCase);
            Assert.Contains("X-Other: 1\r\n", head, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("Host: {0}:65536", 400)]
    [InlineData("Host: {0}:4294967376", 400)]
    [InlineData("Host: {0}\r\nTransfer-Encoding: gzip, chunked", 501)]
    [InlineData("Host: {0}\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked", 501)]
    public async Task What_servers_read_in_several_ways_is_refused(string headers, int status)
    {
        foreach (var way in (Way[])[Way.Node, Way.Overlay, Way.Edge])
        {
            var host = string.Format(System.Globalization.CultureInfo.InvariantCulture, headers, Ways.Host);
            var got = await _ways.AskAsync(
                way, $"POST / HTTP/1.1\r\n{host}\r\nConnection: close\r\n\r\n0\r\n\r\n", TimeSpan.FromSeconds(2));
            Assert.StartsWith($"HTTP/1.1 {status} ", got, StringComparison.Ordinal);
        }

        Assert.Empty(_server.Heads);
    }

    [Fact]
    public async Task No_method_becomes_another_for_a_websocket_and_a_name_may_end_with_its_dot()
    {
        _answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";
        foreach (var way in (Way[])[Way.Node, Way.Overlay, Way.Edge])
        {
            foreach (var method in (string[])["DELETE", "POST"])
            {
                await AskAsync(way, method, "/", "Connection: Upgrade\r\nUpgrade: websocket\r\n");
                Assert.Equal($"{method} / HTTP/1.1", Line());
            }
        }

        var whole = await _ways.AskAsync(
            Way.Node, $"GET /dot HTTP/1.1\r\nHost: {Ways.Host}.\r\nConnection: close\r\n\r\n", TimeSpan.FromSeconds(2));
        Assert.StartsWith("HTTP/1.1 200 ", whole, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("HTTP/1.1 101 Switching\r\nUpgrade: foo\r\nConnection: Upgrade\r\n\r\nX", "")]
    [InlineData("HTTP/1.1 101 Switching\r\nUpgrade: foo\r\nConnection: Upgrade\r\n\r\nX", "Connection: Upgrade\r\nUpgrade: foo\r\n")]
    [InlineData("HTTP/1.1 101 Switching\r\nUpgrade: foo\r\nConnection: Upgrade\r\n\r\nX", "Connection: Upgrade\r\nUpgrade: websocket\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\nConnection: close\r\n\r\n2\r\nok\r\n0\r\n\r\n", "")]
    public async Task An_answer_that_nobody_asked_for_is_none(string answer, string headers)
    {
        _answer = answer;
        foreach (var way in (Way[])[Way.Node, Way.Overlay, Way.Edge])
        {
            var got = await AskAsync(way, "GET", "/", headers);
            Assert.True(got.StartsWith("HTTP/1.1 502 ", StringComparison.Ordinal), $"{way}: {got}");
            Assert.DoesNotContain("X", got[got.IndexOf("\r\n\r\n", StringComparison.Ordinal)..], StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task What_shows_headers_and_what_makes_tunnels_is_refused()
    {
        foreach (var way in (Way[])[Way.Node, Way.Overlay, Way.Edge])
        {
            var trace = await AskAsync(way, "TRACE", "/");
            Assert.StartsWith("HTTP/1.1 405 ", trace, StringComparison.Ordinal);
            Assert.Contains("\r\nAllow: GET, ", trace, StringComparison.Ordinal);
            Assert.StartsWith("HTTP/1.1 4", await AskAsync(way, "CONNECT", $"{Ways.Host}:80"), StringComparison.Ordinal);
        }

        Assert.Empty(_server.Heads);
    }

    // Kestrel lets these through, and servers take them for ends of lines and of targets.
    [Fact]
    public async Task Control_characters_in_a_target_are_refused()
    {
        foreach (var way in (Way[])[Way.Node, Way.Overlay, Way.Edge])
        {
            foreach (var target in (string[])["/a\rX-Forwarded-For:1.2.3.4", "/a\tb", "/a\u001B[2J", "/a\u007F"])
                Assert.StartsWith("HTTP/1.1 400 ", await AskAsync(way, "GET", target), StringComparison.Ordinal);
        }

        Assert.Empty(_server.Heads);
    }

    [Theory]
    [InlineData("HTTP/1.1 299 Fine By Me\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok", "HTTP/1.1 299 Fine By Me\r\n", "ok")]
    [InlineData(
        "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello", "HTTP/1.1 204 No Content\r\n", "\r\n\r\n")]
    [InlineData("HTTP/1.0 200 OK\r\n\r\nuntil the end", "HTTP/1.1 200 OK\r\n", "until the end")]
    [InlineData(
        "HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\nConnection: close\r\n\r\n", "HTTP/1.1 304 Not Modified\r\n", "ETag: \"a\"\r\n")]
    [InlineData(
        "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
        "HTTP/1.1 200 OK\r\n", "ok")]
    public async Task Odd_answers_come_back(string answer, string begins, string contains)
    {
        _answer = answer;
        foreach (var way in (Way[])[Way.Node, Way.Overlay, Way.Edge])
        {
            var got = await AskAsync(way, "GET", "/", "TE: trailers\r\n");
            Assert.StartsWith(begins, got, StringComparison.Ordinal);
            Assert.Contains(contains, got, StringComparison.Ordinal);
        }
    }

    // Kestrel has none on HTTP/1.1.
    [Fact]
    public async Task Trailers_come_back_on_http_2()
    {
        _answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\nConnection: close\r\n\r\n"
            + "2\r\nok\r\n0\r\nX-Sum: 42\r\n\r\n";
        using var http2 = new HttpClient();
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri($"http://127.0.0.1:{_h2c}/"))
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Headers = { Host = Ways.Host },
        };
        using var response = await http2.SendAsync(request);
        Assert.Equal("ok", await response.Content.ReadAsStringAsync());
        Assert.Equal("42", Assert.Single(response.TrailingHeaders.GetValues("X-Sum")));
    }

    private Task<string> AskAsync(Way way, string method, string target, string headers = "")
    {
        var close = headers.StartsWith("Connection", StringComparison.Ordinal) ? "" : "Connection: close\r\n";
        var bytes = $"{method} {target} HTTP/1.1\r\nHost: {Ways.Host}\r\n{headers}{close}\r\n";
        return _ways.AskAsync(way, bytes, TimeSpan.FromSeconds(2));
    }

    private string Line() => _server.Heads.Last().Split("\r\n")[0];
}
