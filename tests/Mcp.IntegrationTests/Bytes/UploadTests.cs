using System.Globalization;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using Mcp.IntegrationTests.Hosts;

namespace Mcp.IntegrationTests.Bytes;

/// <summary>Bodies that clients send: whole, with pauses, and those that a server refuses before it has read them.</summary>
public sealed class UploadTests : IAsyncLifetime
{
    private const string TooLarge = "HTTP/1.1 413 Payload Too Large\r\nContent-Length: 8\r\n\r\ntoo big\n";
    private readonly Ways _ways = new();
    private readonly RawServer _server;
    private Func<NetworkStream, string, CancellationToken, Task> _answer = (_, _, _) => Task.CompletedTask;

    public UploadTests() => _server = new RawServer((to, head, ct) => _answer(to, head, ct));

    public async ValueTask InitializeAsync() => await _ways.StartAsync(_server.Port, "least_rate = 0");

    public async ValueTask DisposeAsync()
    {
        await _ways.DisposeAsync();
        await _server.DisposeAsync();
    }

    public static TheoryData<Way> Everywhere => new(Ways.All);

    // Reads nothing, and closes: what is under way is reset.
    [Theory]
    [MemberData(nameof(Everywhere))]
    public async Task A_refusal_comes_back_although_the_server_closes(Way way)
    {
        _answer = (to, _, ct) => RawServer.SendAsync(to, TooLarge, ct);
        foreach (var length in (int[])[100, 20_000, 100_000, 5_000_000, 50_000_000])
        {
            foreach (var chunked in (bool[])[false, true])
            {
                for (var i = 0; i < 3; i++)
                    Assert.StartsWith("HTTP/1.1 413 ", await PostAsync(way, length, chunked), StringComparison.Ordinal);
            }
        }
    }

    // Answers, and waits for nothing; the client waits for the answer in the middle of its body.
    [Theory]
    [MemberData(nameof(Everywhere))]
    public async Task A_refusal_comes_back_although_the_client_has_more_to_send(Way way)
    {
        foreach (var closes in (bool[])[false, true])
        {
            _answer = async (to, _, ct) =>
            {
                await RawServer.SendAsync(to, TooLarge, ct);
                if (closes)
                    to.Socket.Shutdown(SocketShutdown.Send);
                await Task.Delay(Timeout.Infinite, ct);
            };
            foreach (var length in (string[])["Content-Length: 5000000", "Transfer-Encoding: chunked"])
            {
                await using var stream = await _ways.ConnectAsync(way);
                var begun = length[0] == 'T' ? "5\r\nhello\r\n" : "hello";
                await RawServer.SendAsync(stream, $"POST / HTTP/1.1\r\nHost: {Ways.Host}\r\n{length}\r\n\r\n{begun}", default);
                var answer = await Ways.RestAsync(stream, TimeSpan.FromSeconds(2));
                Assert.StartsWith("HTTP/1.1 413 ", answer, StringComparison.Ordinal);
                Assert.Contains("too big", answer, StringComparison.Ordinal);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Everywhere))]
    public async Task A_body_arrives_whole_whatever_its_pauses(Way way)
    {
        _answer = Hash;
        await using var stream = await _ways.ConnectAsync(way);
        await RawServer.SendAsync(
            stream, $"POST / HTTP/1.1\r\nHost: {Ways.Host}\r\nConnection: close\r\nContent-Length: 30\r\n\r\n", default);
        for (var i = 0; i < 3; i++)
        {
            await Task.Delay(TimeSpan.FromSeconds(i == 1 ? 6.5 : 0.1));
            await RawServer.SendAsync(stream, "0123456789", default);
        }

        var sum = Sum(Encoding.ASCII.GetBytes("012345678901234567890123456789"));
        Assert.Contains(sum, await Ways.RestAsync(stream, TimeSpan.FromSeconds(5)), StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Everywhere))]
    public async Task Long_bodies_arrive_whole(Way way)
    {
        _answer = Hash;
        foreach (var length in (int[])[16_384, 16_385, 1_000_000, 30_000_000])
        {
            var body = Body(length);
            Assert.Contains(Sum(body), await PostAsync(way, length, chunked: false), StringComparison.Ordinal);
        }
    }

    // The server says whether it wants the body.
    [Theory]
    [MemberData(nameof(Everywhere))]
    public async Task The_server_decides_whether_a_body_is_sent(Way way)
    {
        _answer = async (to, head, ct) =>
        {
            if (head.Contains("X-Wanted", StringComparison.OrdinalIgnoreCase))
                await RawServer.SendAsync(to, "HTTP/1.1 100 Continue\r\n\r\n", ct);
            else
                await RawServer.SendAsync(to, "HTTP/1.1 417 Expectation Failed\r\nContent-Length: 3\r\nConnection: close\r\n\r\nno\n", ct);
            if (!head.Contains("X-Wanted", StringComparison.OrdinalIgnoreCase))
                return;
            await Hash(to, head, ct);
        };
        foreach (var length in (int[])[10, 100_000])
        {
            foreach (var wanted in (bool[])[true, false])
            {
                await using var stream = await _ways.ConnectAsync(way);
                var headers = $"Expect: 100-continue\r\nConnection: close\r\n{(wanted ? "X-Wanted: 1\r\n" : "")}Content-Length: {length}";
                await RawServer.SendAsync(stream, $"POST / HTTP/1.1\r\nHost: {Ways.Host}\r\n{headers}\r\n\r\n", default);
                var head = await RawServer.HeadAsync(stream, default).WaitAsync(TimeSpan.FromSeconds(5));
                Assert.StartsWith(wanted ? "HTTP/1.1 100 " : "HTTP/1.1 417 ", head, StringComparison.Ordinal);
                if (!wanted)
                    continue;
                await stream.WriteAsync(Body(length));
                Assert.Contains(Sum(Body(length)), await Ways.RestAsync(stream, TimeSpan.FromSeconds(5)), StringComparison.Ordinal);
            }
        }
    }

    // It was not refused: the server may go on reading, and does.
    [Theory]
    [MemberData(nameof(Everywhere))]
    public async Task An_early_200_cuts_no_body_off(Way way)
    {
        var got = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
        _answer = async (to, head, ct) =>
        {
            await RawServer.SendAsync(to, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\n", ct);
            got.SetResult(await ReadAsync(to, head, ct));
            await RawServer.SendAsync(to, "early", ct);
        };
        Assert.StartsWith("HTTP/1.1 200 ", await PostAsync(way, 3_000_000, chunked: false), StringComparison.Ordinal);
        Assert.Equal(Sum(Body(3_000_000)), await got.Task);
    }

    private async Task<string> PostAsync(Way way, int length, bool chunked)
    {
        await using var stream = await _ways.ConnectAsync(way);
        var body = Body(length);
        var sending = SendAsync();
        var answer = await Ways.RestAsync(stream, TimeSpan.FromSeconds(6));
        await sending.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        return answer;

        async Task SendAsync()
        {
            var framing = chunked ? "Transfer-Encoding: chunked" : string.Create(CultureInfo.InvariantCulture, $"Content-Length: {length}");
            await RawServer.SendAsync(stream, $"POST / HTTP/1.1\r\nHost: {Ways.Host}\r\nConnection: close\r\n{framing}\r\n\r\n", default);
            if (chunked)
                await RawServer.SendAsync(stream, string.Create(CultureInfo.InvariantCulture, $"{length:x}\r\n"), default);
            for (var at = 0; at < body.Length; at += 65536)
                await stream.WriteAsync(body.AsMemory(at, Math.Min(65536, body.Length - at)));
            if (chunked)
                await RawServer.SendAsync(stream, "\r\n0\r\n\r\n", default);
        }
    }

    private static async Task Hash(NetworkStream from, string head, CancellationToken ct)
    {
        var sum = await ReadAsync(from, head, ct);
        await RawServer.SendAsync(from, $"HTTP/1.1 200 OK\r\nContent-Length: {sum.Length}\r\nConnection: close\r\n\r\n{sum}", ct);
    }

    private static async Task<string> ReadAsync(NetworkStream from, string head, CancellationToken ct)
    {
        var line = head.Split("\r\n").Single(l => l.StartsWith("Content-Length: ", StringComparison.OrdinalIgnoreCase));
        var body = new byte[int.Parse(line.Split(": ")[1], CultureInfo.InvariantCulture)];
        await from.ReadExactlyAsync(body, ct);
        return Sum(body);
    }

    private static byte[] Body(int length)
    {
        var body = new byte[length];
        for (var i = 0; i < length; i++)
            body[i] = (byte)(i * 31 / 7);
        return body;
    }

    private static string Sum(byte[] body) => Convert.ToHexString(SHA256.HashData(body));
}
