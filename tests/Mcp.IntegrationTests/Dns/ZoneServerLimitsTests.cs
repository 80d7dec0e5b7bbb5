using System.Net;
using System.Net.Sockets;
using Mcp.IntegrationTests.Hosts;
using Mcp.Master.Dns;
using Mcp.Master.Dns.Builtin;
using Mcp.Model.Errors;

namespace Mcp.IntegrationTests.Dns;

/// <summary>The built-in server and clients that ask nothing, half a question, or never listen.</summary>
public sealed class ZoneServerLimitsTests : IDisposable
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(30);
    private readonly IPEndPoint _address = new(IPAddress.Loopback, NodeFixture.FreePort());
    private readonly ZoneServer _server;

    public ZoneServerLimitsTests()
    {
        var zone = new Zone(NameServer.Zone, IPAddress.Parse("100.64.0.1"), TimeSpan.FromSeconds(5), TimeProvider.System);
        zone.Set(new DnsRecord("blog", IPAddress.Parse("100.64.0.7")));
        _server = new ZoneServer(zone, _address, new SourceLimit(0, TimeProvider.System));
    }

    public void Dispose() => _server.Dispose();

    [Fact]
    public async Task One_that_ends_as_soon_as_it_has_begun_lets_go_of_its_address()
    {
        var zone = new Zone(NameServer.Zone, IPAddress.Parse("100.64.0.1"), TimeSpan.FromSeconds(5), TimeProvider.System);
        var address = new IPEndPoint(IPAddress.Loopback, NodeFixture.FreePort());
        for (var i = 0; i < 300; i++)
            (await BeginAsync(zone, address)).Dispose();
    }

    [Fact]
    public async Task One_that_gets_half_of_its_address_keeps_nothing_of_it()
    {
        var zone = new Zone(NameServer.Zone, IPAddress.Parse("100.64.0.1"), TimeSpan.FromSeconds(5), TimeProvider.System);
        var address = new IPEndPoint(IPAddress.Loopback, NodeFixture.FreePort());
        using (var other = new TcpListener(address))
        {
            other.Start();
            Assert.Throws<McpException>(() => new ZoneServer(zone, address, new SourceLimit(0, TimeProvider.System)));
        }

        (await BeginAsync(zone, address)).Dispose();
    }

    /// <summary>A process that another test starts holds every socket of this one from its fork to its exec: an address that was let go of
    /// may be taken for some milliseconds more. One that was kept is taken for good.</summary>
    private static async Task<ZoneServer> BeginAsync(Zone zone, IPEndPoint address)
    {
        for (var left = 100; ; left--)
        {
            try
            {
                return new ZoneServer(zone, address, new SourceLimit(0, TimeProvider.System));
            }
            catch (McpException e) when (e.InnerException is SocketException { SocketErrorCode: SocketError.AddressAlreadyInUse } && left > 0)
            {
                await Task.Delay(20);
            }
        }
    }

    [Fact]
    public async Task Silent_and_half_sent_connections_end_and_another_client_is_answered()
    {
        var silent = new List<Socket>();
        try
        {
            byte[][] sent = [[], [0], [0, 40], [0, 40, .. Question(1)[..20]]];
            for (var i = 0; i < 3000; i++)
                silent.Add(await ConnectAsync($"127.0.{1 + (i / 100)}.1", sent[i % sent.Length]));
            Assert.Equal(
                "100.64.0.7",
                (await Command.RunAsync(
                    "dig",
                    ["@127.0.0.1", "-p", $"{_address.Port}", "+tcp", "+short", "+time=5", "+tries=1", "blog.mcp.internal"])).Output.Trim());
            await Task.WhenAll(silent.Select(EndedAsync));
        }
        finally
        {
            silent.ForEach(s => s.Dispose());
        }
    }

    [Fact]
    public async Task One_source_has_fifty_connections_and_its_oldest_silent_ones_make_room()
    {
        using var other = await ConnectAsync("127.0.0.3", []);
        var first = await ConnectAsync("127.0.0.2", []);
        var more = new List<Socket>();
        try
        {
            for (var i = 0; i < 50; i++)
                more.Add(await ConnectAsync("127.0.0.2", []));
            await EndedAsync(first);
            // Of the other source none has gone, and the newest one is served.
            Assert.Equal(7, await AskAsync(other, 7));
            Assert.Equal(8, await AskAsync(more[^1], 8));
        }
        finally
        {
            first.Dispose();
            more.ForEach(s => s.Dispose());
        }
    }

    [Fact]
    public async Task A_question_that_comes_a_byte_a_second_is_not_waited_for()
    {
        using var client = await ConnectAsync("127.0.0.1", []);
        Assert.Equal(1, await AskAsync(client, 1));
        var ended = EndedAsync(client);
        byte[] question = [0, (byte)Question(2).Length, .. Question(2)];
        foreach (var one in question)
        {
            try
            {
                await client.SendAsync(new[] { one });
            }
            catch (SocketException)
            {
                break;
            }

            if (await Task.WhenAny(ended, Task.Delay(TimeSpan.FromSeconds(1))) == ended)
                break;
        }

        Assert.True(ended.IsCompletedSuccessfully, "it took a byte a second for as long as it liked");
    }

    [Fact]
    public async Task A_client_that_does_not_listen_is_sent_away()
    {
        using var client = await ConnectAsync("127.0.0.1", []);
        byte[] question = [0, (byte)Question(2).Length, .. Question(2)];
        var many = Enumerable.Repeat(question, 1000).SelectMany(q => q).ToArray();
        using var limit = new CancellationTokenSource(s_patience);
        // Until what lies in the system's buffers is so much that the server waits, and then ends it.
        await Assert.ThrowsAsync<SocketException>(async () =>
        {
            while (true)
                await client.SendAsync(many, limit.Token);
        });
    }

    public static readonly TheoryData<string, byte[]> NoQuestions = new()
    {
        { "a response", With(Question(9), 2, 0x81) },
        { "a response with an error", With(With(Question(9), 2, 0x80), 3, 0x85) },
        { "no header", Question(9)[..11] },
        { "nothing", [] },
        { "an operation that there is not", With(Question(9), 2, 0x18) },
        { "no question", With(Question(9), 5, 0) },
        { "two questions", With(Question(9), 5, 2) },
    };

    [Theory]
    [MemberData(nameof(NoQuestions))]
    public async Task What_is_no_question_gets_no_answer_over_udp(string what, byte[] packet)
    {
        using var client = new UdpClient();
        client.Connect(_address);
        await client.SendAsync(packet);
        // Packets of one client are answered in turn, so an answer to the first would be here before the second's.
        await client.SendAsync(Question(10));
        using var limit = new CancellationTokenSource(s_patience);
        var answer = (await client.ReceiveAsync(limit.Token)).Buffer;
        Assert.True(answer[1] == 10, $"{what} was answered with {Convert.ToHexString(answer)}");
        await client.SendAsync(Question(11));
        Assert.Equal(11, (await client.ReceiveAsync(limit.Token)).Buffer[1]);
    }

    [Theory]
    [MemberData(nameof(NoQuestions))]
    public async Task What_is_no_question_ends_its_tcp_connection(string what, byte[] packet)
    {
        using var client = await ConnectAsync("127.0.0.1", [(byte)(packet.Length >> 8), (byte)packet.Length, .. packet]);
        var buffer = new byte[512];
        using var limit = new CancellationTokenSource(s_patience);
        try
        {
            Assert.True(await client.ReceiveAsync(buffer, limit.Token) == 0, $"{what} was answered");
        }
        catch (SocketException)
        {
            // Reset: ended, too.
        }
    }

    [Fact]
    public async Task Two_servers_that_are_made_to_talk_to_each_other_stop_at_once()
    {
        using var client = new UdpClient(new IPEndPoint(IPAddress.Loopback, 0));
        // The client answers whatever comes with the same, as another server would.
        client.Connect(_address);
        await client.SendAsync(Question(1));
        using var limit = new CancellationTokenSource(s_patience);
        await client.SendAsync((await client.ReceiveAsync(limit.Token)).Buffer);
        await client.SendAsync(Question(2));
        Assert.Equal(2, (await client.ReceiveAsync(limit.Token)).Buffer[1]);
    }

    private static byte[] Question(byte id) =>
        [0x12, id, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 4, .. "blog"u8, 3, .. "mcp"u8, 8, .. "internal"u8, 0, 0, 1, 0, 1];

    private static byte[] With(byte[] packet, int at, byte value)
    {
        packet[at] = value;
        return packet;
    }

    private async Task<Socket> ConnectAsync(string from, byte[] sent)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        socket.Bind(new IPEndPoint(IPAddress.Parse(from), 0));
        await socket.ConnectAsync(_address);
        if (sent.Length > 0)
        {
            try
            {
                await socket.SendAsync(sent);
            }
            catch (SocketException)
            {
                // Sent away before.
            }
        }

        return socket;
    }

    /// <returns>The second half of the answer's id.</returns>
    private static async Task<int> AskAsync(Socket client, byte id)
    {
        using var limit = new CancellationTokenSource(s_patience);
        await client.SendAsync((byte[])[0, (byte)Question(id).Length, .. Question(id)], limit.Token);
        var buffer = new byte[512];
        var read = 0;
        while (read < 4)
        {
            var came = await client.ReceiveAsync(buffer.AsMemory(read), limit.Token);
            Assert.True(came > 0, "it was ended instead of answered");
            read += came;
        }

        return buffer[3];
    }

    private static async Task EndedAsync(Socket socket)
    {
        var buffer = new byte[512];
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
    }
}
