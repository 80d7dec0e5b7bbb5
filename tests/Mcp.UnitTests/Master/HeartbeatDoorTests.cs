using System.Buffers.Binary;
using System.Security.Cryptography.X509Certificates;
using Google.Protobuf;
using Mcp.Daemon.Identity;
using Mcp.Master.Rpc;
using Mcp.Model.Names;
using Mcp.Protocol.V1;
using Mcp.TestKit.Fakes;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Time.Testing;

namespace Mcp.UnitTests.Master;

/// <summary>What nodes may have under way at the master, by certificates that count and others.</summary>
public sealed class HeartbeatDoorTests : IAsyncLifetime
{
    private readonly string _directory = Directory.CreateTempSubdirectory("mcp-door").FullName;
    private readonly FakeTimeProvider _time = new(TimeProvider.System.GetUtcNow());
    private readonly TaskCompletionSource _over = new();
    private CertificateAuthority _authority = null!;
    private FakeAgents _agents = null!;
    private MasterWorld _world = null!;
    private HeartbeatDoor _door = null!;
    private int _passed;

    public async ValueTask InitializeAsync()
    {
        _authority = CertificateAuthority.Create(_directory, "test", TimeProvider.System.GetUtcNow());
        _agents = await FakeAgents.StartAsync(["alder"], _authority);
        _world = new MasterWorld(_directory, _agents, new FakeNames());
        _door = new HeartbeatDoor(_world.Node.Membership, _time);
    }

    public async ValueTask DisposeAsync()
    {
        _world.Dispose();
        await _agents.DisposeAsync();
        _authority.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    [Fact]
    public async Task The_certificate_of_a_node_that_was_removed_does_not_stand_in_the_way_of_the_next_of_that_name()
    {
        using var before = Issue();
        using var after = Issue();
        Joined(after);
        var held = Enumerable.Range(0, 10).Select(_ => PassAsync(before, "/mcp.v1.Master/Renew", Stream.Null)).ToList();
        Assert.Equal(4, _passed);
        var beat = PassAsync(after, "/mcp.v1.Master/Heartbeat", Beat());
        Assert.Equal(5, _passed);
        _over.SetResult();
        await Task.WhenAll(held.Append(beat));
    }

    [Fact]
    public async Task Only_a_heartbeat_of_a_node_that_counts_may_be_long()
    {
        using var before = Issue();
        using var now = Issue();
        Joined(now);
        _over.SetResult();
        Assert.Equal(65_536, await LongestAsync(before, "Heartbeat"));
        Assert.Equal(65_536, await LongestAsync(now, "Renew"));
        Assert.Null(await LongestAsync(now, "Heartbeat"));
    }

    [Fact]
    public async Task A_heartbeat_that_comes_byte_by_byte_is_cut_off_after_10_seconds()
    {
        using var now = Issue();
        Joined(now);
        var call = PassAsync(now, "/mcp.v1.Master/Heartbeat", new Endless());
        Assert.False(call.IsCompleted);
        _time.Advance(TimeSpan.FromSeconds(11));
        await call.WaitAsync(TimeSpan.FromSeconds(30));
        Assert.Equal(0, _passed);
    }

    private static MemoryStream Beat()
    {
        var message = new HeartbeatRequest { Facts = new NodeStatusReply { Node = "alder" } }.ToByteArray();
        var bytes = new byte[5 + message.Length];
        BinaryPrimitives.WriteUInt32BigEndian(bytes.AsSpan(1), (uint)message.Length);
        message.CopyTo(bytes, 5);
        return new MemoryStream(bytes);
    }

    private X509Certificate2 Issue() =>
        _authority.IssuePeer(new PeerName(Label.Parse("alder"), false), [], TimeProvider.System.GetUtcNow(), TimeSpan.FromDays(1));

    private void Joined(X509Certificate2 certificate) => _world.Store.Nodes.Rekey(Label.Parse("alder"), PeerName.KeyOf(certificate));

    private async Task<long?> LongestAsync(X509Certificate2 shown, string method)
    {
        var limit = new Limit();
        await PassAsync(shown, $"/mcp.v1.Master/{method}", Beat(), limit);
        return limit.MaxRequestBodySize;
    }

    private Task PassAsync(X509Certificate2 shown, string path, Stream body, Limit? limit = null)
    {
        var context = new DefaultHttpContext();
        context.Features.Set<IHttpMaxRequestBodySizeFeature>(limit ?? new Limit());
        context.Connection.ClientCertificate = shown;
        (context.Request.Path, context.Request.Body) = (path, body);
        return _door.PassAsync(context, _ =>
        {
            _passed++;
            return _over.Task;
        });
    }

    private sealed class Limit : IHttpMaxRequestBodySizeFeature
    {
        public bool IsReadOnly => false;

        public long? MaxRequestBodySize { get; set; }
    }

    // A client that sends nothing more.
    private sealed class Endless : MemoryStream
    {
        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            await Task.Delay(Timeout.Infinite, cancellationToken);
            return 0;
        }
    }
}
