using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Mcp.Daemon.Doors;
using Mcp.Daemon.Identity;
using Mcp.Model.Names;
using Microsoft.AspNetCore.Http;

namespace Mcp.UnitTests.Daemon;

/// <summary>Who may send as much as he likes, and how many others may be there.</summary>
public sealed class StrangersTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("mcp-strangers").FullName;
    private readonly CertificateAuthority _authority;
    private readonly Strangers _door;
    private readonly TaskCompletionSource _over = new();
    private readonly List<Task> _calls = [];
    private int _passed;

    public StrangersTests()
    {
        _authority = CertificateAuthority.Create(_directory, "test", TimeProvider.System.GetUtcNow());
        _door = new Strangers(peer => peer.IsMaster, new TokenSigner(TokenSigner.NewKey(), TimeProvider.System), TimeProvider.System);
    }

    public void Dispose()
    {
        _authority.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    [Fact]
    public async Task One_source_takes_a_hundred_places_and_leaves_the_others_theirs()
    {
        Call("192.0.2.1", 500);
        Assert.Equal(100, _passed);
        Call("192.0.2.2", 1);
        Call("127.0.0.1", 200);
        Assert.Equal(301, _passed);
        for (var i = 3; i < 100; i++)
            Call($"192.0.2.{i}", 100);
        Assert.Equal(1000, _passed);
        _over.SetResult();
        await Task.WhenAll(_calls);
        Call("192.0.2.1", 1);
        Assert.Equal(1001, _passed);
    }

    [Theory]
    [InlineData("master", true)]
    [InlineData("node", false)]
    [InlineData("service", false)]
    public void Only_a_peer_that_counts_here_is_known_whatever_else_the_CA_has_signed(string whose, bool known)
    {
        using var shown = Certificate(whose);
        Call("192.0.2.1", 500, shown);
        Assert.Equal(known ? 500 : 100, _passed);
    }

    private X509Certificate2 Certificate(string whose)
    {
        var now = TimeProvider.System.GetUtcNow();
        if (whose != "service")
            return _authority.IssuePeer(new PeerName(Label.Parse("one"), whose == "master"), [], now, TimeSpan.FromDays(1));
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        return _authority.SignServer(
            new CertificateRequest("CN=x", key, HashAlgorithmName.SHA256).CreateSigningRequestPem(),
            "blog.mcp.internal",
            ["blog.mcp.internal"],
            now,
            TimeSpan.FromDays(1));
    }

    private void Call(string from, int times, X509Certificate2? shown = null)
    {
        for (var i = 0; i < times; i++)
        {
            var context = new DefaultHttpContext();
            (context.Connection.RemoteIpAddress, context.Connection.ClientCertificate) = (IPAddress.Parse(from), shown);
            _calls.Add(_door.PassAsync(context, _ =>
            {
                _passed++;
                return _over.Task;
            }));
        }
    }
}
