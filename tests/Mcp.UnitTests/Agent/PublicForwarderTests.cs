using System.Net;
using Mcp.Agent.Edge;
using Mcp.Agent.ProxyProcess.Public;
using Microsoft.AspNetCore.Http;

namespace Mcp.UnitTests.Agent;

/// <summary>One client of the public that asks as much as it can, and takes no answer.</summary>
public class PublicForwarderTests
{
    private readonly TaskCompletionSource _taken = new();

    [Fact]
    public async Task One_source_has_2000_requests_under_way_whatever_its_connections_and_the_others_are_answered()
    {
        using var metrics = new PublicMetrics();
        await using var log = new AccessLog(null);
        using var table = new PublicTable(null!);
        var forwarder = new PublicForwarder(table, null!, Options(), log, metrics);
        var held = Enumerable.Range(0, 2000).Select(_ => forwarder.ForwardAsync(From("192.0.2.1", new Unread(_taken.Task)))).ToList();
        Assert.DoesNotContain(held, t => t.IsCompleted);
        var refused = From("192.0.2.1", Stream.Null);
        await forwarder.ForwardAsync(refused);
        Assert.Equal(("503", "1"), ($"{refused.Response.StatusCode}", refused.Response.Headers.RetryAfter.ToString()));
        foreach (var other in (string[])["192.0.2.2", "127.0.0.1"])
            Assert.Equal(421, await StatusAsync(other));
        _taken.SetResult();
        await Task.WhenAll(held);
        Assert.Equal(421, await StatusAsync("192.0.2.1"));

        async Task<int> StatusAsync(string from)
        {
            var context = From(from, Stream.Null);
            await forwarder.ForwardAsync(context);
            return context.Response.StatusCode;
        }
    }

    private static DefaultHttpContext From(string address, Stream body)
    {
        var context = new DefaultHttpContext();
        context.Connection.RemoteIpAddress = IPAddress.Parse(address);
        context.Request.Host = new HostString("no-such-host.example.com");
        context.Response.Body = body;
        return context;
    }

    private static EdgeOptions Options() => new()
    {
        Http = new IPEndPoint(IPAddress.Loopback, 0),
        Https = new IPEndPoint(IPAddress.Loopback, 0),
        Certificates = CertificateKind.Internal,
        BodyLimit = 1,
        AccessLog = false,
        Overlay = null!,
        Lego = "lego",
    };

    // What is written waits until the client takes it.
    private sealed class Unread(Task taken) : MemoryStream
    {
        public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) =>
            await taken;
    }
}
