using System.Net;
using System.Net.Sockets;
using Mcp.Agent;
using Mcp.Agent.Proxy;
using Mcp.Agent.ProxyProcess.Handover;
using Mcp.Machine;
using Microsoft.Extensions.Time.Testing;

namespace Mcp.UnitTests.Proxy;

/// <summary>The parts of a hand-over; HandoverTests of the integration tests has the processes.</summary>
public sealed class HandoverPartsTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("mcp-handover").FullName;
    private readonly AgentConfig _config;
    private readonly ControlSockets _control;

    public HandoverPartsTests()
    {
        var file = Path.Combine(_directory, "agent.toml");
        File.WriteAllText(file, $"""
            name = "rift"
            listen = "127.0.0.1:7443"
            state = "{_directory}"
            [proxy]
            http = "127.0.0.1:8080"
            tls = "0.0.0.0:8443"
            """);
        _config = AgentConfig.Read(file);
        _control = new ControlSockets(_config);
    }

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public void Sockets_go_through_a_unix_socket_and_listen_on_when_the_one_before_has_closed_its_own()
    {
        using var before = new ListenSockets();
        using var own = before.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        own.Listen();
        var at = (IPEndPoint)own.LocalEndPoint!;
        var (one, other) = Pair();
        using (one)
        using (other)
        {
            Posix.SendFiles(one.SafeHandle, before.Give());
            using var after = new ListenSockets();
            after.Inherit(Posix.ReceiveFiles(other.SafeHandle));
            using var waiting = Connect(at);
            before.Close();
            using var taken = after.Bind(at);
            Assert.Equal([at], after.Addresses);
            using var late = Connect(at);
            using var first = taken.Accept();
            using var second = taken.Accept();
            Assert.Equal([waiting.LocalEndPoint, late.LocalEndPoint], new[] { first.RemoteEndPoint, second.RemoteEndPoint });
            Assert.Empty(before.Addresses);
        }
    }

    [Fact]
    public void What_is_not_wanted_is_let_go_and_does_not_end_it_for_others()
    {
        using var before = new ListenSockets();
        using var own = before.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        own.Listen();
        var (one, other) = Pair();
        using (one)
        using (other)
        {
            Posix.SendFiles(one.SafeHandle, before.Give());
            using var after = new ListenSockets();
            after.Inherit(Posix.ReceiveFiles(other.SafeHandle));
            after.DropUnwanted();
            using var client = Connect((IPEndPoint)own.LocalEndPoint!);
            using var accepted = own.Accept();
            Assert.Equal(client.LocalEndPoint, accepted.RemoteEndPoint);
        }
    }

    [Fact]
    public void Who_is_at_the_other_end_is_known_and_nothing_comes_of_one_that_is_gone()
    {
        var (one, other) = Pair();
        using (other)
        {
            Assert.Equal((Environment.ProcessId, Posix.User), Posix.Peer(one));
            one.Dispose();
            Assert.Empty(Posix.ReceiveFiles(other.SafeHandle));
        }
    }

    [Fact]
    public void The_link_leads_to_one_and_what_the_killed_left_is_removed()
    {
        Assert.Null(_control.Leader);
        Assert.False(_control.IsThere);
        const int NoProcess = int.MaxValue;
        File.WriteAllText(_control.Of(NoProcess), "");
        File.WriteAllText($"{_config.ProxySocket}.{NoProcess}", "");
        File.WriteAllText(_control.Of(Environment.ProcessId), "");
        _control.Lead(Environment.ProcessId);
        Assert.Equal(Environment.ProcessId, _control.Leader);
        Assert.True(_control.IsThere);
        Assert.Empty(_control.Others());
        Assert.False(File.Exists(_control.Of(NoProcess)));
        Assert.False(File.Exists($"{_config.ProxySocket}.{NoProcess}"));
        File.Delete(_control.Of(Environment.ProcessId));
        Assert.False(_control.IsThere);
        // Of a version before, it is no link.
        File.Delete(_config.ProxySocket);
        File.WriteAllText(_config.ProxySocket, "");
        Assert.Null(_control.Leader);
        Assert.True(_control.IsThere);
    }

    [Fact]
    public void A_control_socket_has_no_longer_a_path_than_the_link() =>
        Assert.True(_control.Of(4_194_304).Length <= _config.ProxySocket.Length);

    [Fact]
    public void Copies_of_a_build_are_the_same_and_one_byte_makes_another()
    {
        var (one, copy) = (Path.Combine(_directory, "one"), Path.Combine(_directory, "copy"));
        File.WriteAllText(one, "program");
        File.Copy(one, copy);
        Assert.Equal(ProxyBuild.Of([one]), ProxyBuild.Of([copy]));
        Assert.NotEqual(ProxyBuild.Of([one]), ProxyBuild.Of([one, copy]));
        File.AppendAllText(copy, " ");
        Assert.NotEqual(ProxyBuild.Of([one]), ProxyBuild.Of([copy]));
        Assert.Equal(ProxyBuild.OfThis(), ProxyBuild.OfThis());
    }

    [Theory]
    [InlineData("127.0.0.1:8080 0.0.0.0:8443", null)]
    [InlineData("127.0.0.1:9090", null)]
    [InlineData("0.0.0.0:8080", "127.0.0.1:8080")]
    [InlineData("[::]:8443", "0.0.0.0:8443")]
    [InlineData("127.0.0.1:8443", "0.0.0.0:8443")]
    [InlineData("127.0.0.2:8080", null)]
    public void An_address_that_overlaps_one_of_before_is_not_taken_for_the_same(string held, string? overlapping) => Assert.Equal(
        overlapping,
        PortsTaken.Overlapping(_config, [.. held.Split(' ').Select(IPEndPoint.Parse)])?.ToString());

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task One_that_has_handed_over_ends_with_its_last_connection_or_when_its_time_is_over(bool stays)
    {
        var time = new FakeTimeProvider();
        var ended = new TaskCompletionSource();
        var (connections, looks) = (1, 0);
        using var sockets = new ListenSockets();
        var departure = new Departure(
            sockets,
            () =>
            {
                Interlocked.Increment(ref looks);
                return Volatile.Read(ref connections);
            },
            ended.SetResult,
            time);
        Assert.False(departure.HasBegun);
        departure.Begin();
        Assert.True(departure.HasBegun);
        var began = time.GetUtcNow();
        if (!stays)
            Volatile.Write(ref connections, 0);
        while (!ended.Task.IsCompleted)
        {
            time.Advance(TimeSpan.FromMilliseconds(250));
            await Task.Yield();
            Assert.True(time.GetUtcNow() - began < TimeSpan.FromHours(10), "it does not end");
        }

        Assert.True(looks >= 2);
        if (stays)
            Assert.True(time.GetUtcNow() - began >= Departure.Longest);
    }

    private static (Socket, Socket) Pair()
    {
        using var door = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        var path = Path.Combine(Path.GetTempPath(), $"mcp-{Guid.NewGuid():N}");
        door.Bind(new UnixDomainSocketEndPoint(path));
        door.Listen();
        var one = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        one.Connect(new UnixDomainSocketEndPoint(path));
        return (one, door.Accept());
    }

    private static Socket Connect(IPEndPoint at)
    {
        var socket = new Socket(at.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        socket.Connect(at);
        return socket;
    }
}
