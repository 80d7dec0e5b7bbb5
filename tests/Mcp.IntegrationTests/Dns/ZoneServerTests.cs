using System.Net;
using System.Net.Sockets;
using Mcp.IntegrationTests.Hosts;
using Mcp.Master.Dns;
using Mcp.Master.Dns.Builtin;

namespace Mcp.IntegrationTests.Dns;

/// <summary>The built-in server, asked by dig and by packets that are none.</summary>
public sealed class ZoneServerTests : IDisposable
{
    private readonly IPEndPoint _address = new(IPAddress.Loopback, NodeFixture.FreePort());
    private readonly Zone _zone = new(NameServer.Zone, IPAddress.Parse("100.64.0.1"), TimeSpan.FromSeconds(5), TimeProvider.System);
    private readonly ZoneServer _server;

    public ZoneServerTests()
    {
        foreach (var (name, address) in (IEnumerable<(string, string)>)[
            ("blog", "100.64.0.7"),
            ("web.blog", "100.64.0.7"),
            ("six", "fd7a::6"),
        ])
            _zone.Set(new DnsRecord(name, IPAddress.Parse(address)));
        _server = new ZoneServer(_zone, _address, new SourceLimit(0, TimeProvider.System));
    }

    public void Dispose() => _server.Dispose();

    [Theory]
    [InlineData("blog.mcp.internal A", "status: NOERROR", "flags: qr aa rd; QUERY: 1, ANSWER: 1, "
        + "AUTHORITY: 0", "blog.mcp.internal.\t5\tIN\tA\t100.64.0.7")]
    [InlineData("WEB.Blog.MCP.internal A", "status: NOERROR", "100.64.0.7")]
    [InlineData("six.mcp.internal AAAA", "fd7a::6")]
    [InlineData("six.mcp.internal A", "status: NOERROR", "ANSWER: 0, AUTHORITY: 1", "IN\tSOA\t_ns.mcp.internal.")]
    [InlineData("blog.mcp.internal AAAA", "status: NOERROR", "ANSWER: 0, AUTHORITY: 1")]
    [InlineData("blog.mcp.internal TYPE65280", "status: NOERROR", "ANSWER: 0, AUTHORITY: 1")]
    [InlineData("none.mcp.internal A", "status: NXDOMAIN", "flags: qr aa rd;", "AUTHORITY: 1", "IN\tSOA")]
    [InlineData("x.blog.mcp.internal A", "status: NXDOMAIN")]
    [InlineData("mcp.internal SOA", "status: NOERROR", "ANSWER: 1", "hostmaster.mcp.internal.")]
    [InlineData("mcp.internal NS", "_ns.mcp.internal.")]
    [InlineData("_ns.mcp.internal A", "100.64.0.1")]
    [InlineData("mcp.internal A", "status: NOERROR", "ANSWER: 0, AUTHORITY: 1")]
    [InlineData("example.com A", "status: REFUSED", "ANSWER: 0, AUTHORITY: 0")]
    [InlineData("notmcp.internal A", "status: REFUSED")]
    [InlineData("internal NS", "status: REFUSED")]
    [InlineData("-c CH version.bind TXT", "status: REFUSED")]
    [InlineData("+tcp blog.mcp.internal A", "100.64.0.7")]
    [InlineData("+noedns blog.mcp.internal A", "100.64.0.7")]
    [InlineData("+edns=1 +noednsnegotiation blog.mcp.internal A", "status: BADVERS")]
    [InlineData("+opcode=NOTIFY mcp.internal SOA", "status: NOTIMP")]
    public async Task Dig_hears_what_the_standards_say(string question, params string[] expected)
    {
        var (_, output, _) = await Command.RunAsync(
            "dig",
            ["@127.0.0.1", "-p", $"{_address.Port}", "+time=5", "+tries=3", .. question.Split(' ')]);
        Assert.All(expected, e => Assert.Contains(e, output, StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_transfer_is_refused()
    {
        var (_, output, _) = await Command.RunAsync("dig", ["@127.0.0.1", "-p", $"{_address.Port}", "+time=2", "mcp.internal", "AXFR"]);
        Assert.Contains("Transfer failed", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_change_is_answered_at_once()
    {
        _zone.Set(new DnsRecord("blog", IPAddress.Parse("100.64.0.8")));
        var (_, output, _) = await Command.RunAsync("dig", ["@127.0.0.1", "-p", $"{_address.Port}", "+short", "blog.mcp.internal"]);
        Assert.Equal("100.64.0.8", NameServer.Answers(output));
    }

    [Fact]
    public async Task A_hundred_thousand_broken_packets_do_no_harm_and_are_answered_with_no_more_than_they_were()
    {
        using var client = new UdpClient();
        client.Connect(_address);
        // A question with EDNS, as dig sends it.
        byte[] good =
        [
            0x12,
            0x34,
            1,
            0,
            0,
            1,
            0,
            0,
            0,
            0,
            0,
            1,
            4,
            .. "blog"u8,
            3,
            .. "mcp"u8,
            8,
            .. "internal"u8,
            0,
            0,
            1,
            0,
            1,
            0,
            0,
            41,
            4,
            0xD0,
            0,
            0,
            0,
            0,
            0,
            0,
        ];
        byte[] foreign = [0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 7, .. "example"u8, 3, .. "com"u8, 0, 0, 1, 0, 1];
        var random = new Random(1);
        var (received, refused) = (0, 0);
        var sent = new Dictionary<int, byte[]>();
        for (var i = 0; i < 100_000; i++)
        {
            byte[] packet = i % 3 == 2 ? [.. foreign] : [.. good];
            if (i % 3 == 0)
                packet = packet[..random.Next(packet.Length)];
            else if (i % 3 == 1)
            {
                for (var k = random.Next(1, 6); k > 0; k--)
                    packet[random.Next(packet.Length)] = (byte)random.Next(256);
            }

            if (packet.Length > 1)
                (packet[0], packet[1]) = ((byte)(i >> 8), (byte)i);
            sent[i & 0xFFFF] = packet;
            await client.SendAsync(packet);
            while (client.Available > 0)
            {
                var answer = (await client.ReceiveAsync()).Buffer;
                received++;
                // Everything but an answer: not understood, failed, not implemented, refused.
                if ((answer[3] & 0xF) is not (0 or 3) && sent.TryGetValue((answer[0] << 8) | answer[1], out var cause))
                {
                    refused++;
                    Assert.True(
                        answer.Length <= cause.Length,
                        $"{cause.Length} bytes {Convert.ToHexString(cause)} were answered with {answer.Length}: "
                            + $"{Convert.ToHexString(answer)}");
                }
            }
        }

        Assert.InRange(received, 1000, 100_000);
        Assert.InRange(refused, 1000, received);
        var (_, output, _) = await Command.RunAsync(
            "dig",
            ["@127.0.0.1", "-p", $"{_address.Port}", "+short", "+time=5", "blog.mcp.internal"]);
        Assert.Equal("100.64.0.7", NameServer.Answers(output));
    }

    [Fact]
    public async Task A_source_that_asks_too_much_over_udp_comes_by_tcp()
    {
        var address = new IPEndPoint(IPAddress.Loopback, NodeFixture.FreePort());
        using var server = new ZoneServer(_zone, address, new SourceLimit(1, TimeProvider.System));
        var outputs = new List<string>();
        for (var i = 0; i < 6; i++)
        {
            outputs.Add(
                (await Command.RunAsync(
                    "dig",
                    ["@127.0.0.1", "-p", $"{address.Port}", "+time=1", "+tries=3", "blog.mcp.internal"])).Output);
        }

        Assert.All(outputs, o => Assert.Contains("100.64.0.7", o, StringComparison.Ordinal));
        Assert.Contains(outputs, o => o.Contains("retrying in TCP mode", StringComparison.Ordinal));
    }
}
