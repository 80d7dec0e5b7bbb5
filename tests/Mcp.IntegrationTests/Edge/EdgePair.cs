using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Mcp.Daemon.Identity;
using Mcp.IntegrationTests.Hosts;
using Mcp.Model.Names;

namespace Mcp.IntegrationTests.Edge;

/// <summary>A public route as the agent pushes it.</summary>
internal sealed record PushedRoute(
    string Host,
    string Service,
    string Backend,
    IReadOnlyList<string> Addresses,
    int Port,
    string Certificate);

/// <summary>Two published proxies, an edge node's and a worker's, with certificates of one fleet's CA; the test is both agents. The overlay
/// is 127.0.0.0/8.</summary>
internal sealed class EdgePair : IAsyncDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("mcp-edge").FullName;
    private readonly CertificateAuthority _authority;
    private readonly Dictionary<string, PushedRoute> _public = [];
    private readonly Dictionary<string, int> _backends = [];
    private readonly Dictionary<string, string> _services = [];

    public EdgePair() => _authority = CertificateAuthority.Create(_directory, "fleet", TimeProvider.System.GetUtcNow());

    public ProxyProcess Edge { get; } = new();

    public ProxyProcess Worker { get; } = new();

    public int Http { get; } = NodeFixture.FreePort();

    public int Https { get; } = NodeFixture.FreePort();

    public int Metrics { get; } = NodeFixture.FreePort();

    /// <summary>The worker's proxy, for its own machine.</summary>
    public int WorkerHttp { get; } = NodeFixture.FreePort();

    public int Overlay { get; } = NodeFixture.FreePort();

    public string CaFile => Path.Combine(_directory, "ca.crt");

    public async Task StartAsync(string options = "", string proxy = "")
    {
        Join(Edge.State, "gate");
        Join(Worker.State, "worker");
        await Edge.StartAsync($"""
            [proxy]
            http = "127.0.0.1:{NodeFixture.FreePort()}"
            tls = "127.0.0.1:{NodeFixture.FreePort()}"
            [edge]
            http = "127.0.0.1:{Http}"
            https = "127.0.0.1:{Https}"
            metrics = "127.0.0.1:{Metrics}"
            {options}
            """);
        await Worker.StartAsync($"""
            [proxy]
            {proxy}
            http = "127.0.0.1:{WorkerHttp}"
            tls = "127.0.0.1:{NodeFixture.FreePort()}"
            overlay = "127.0.0.1:{Overlay}"
            """);
    }

    /// <summary>A public hostname that leads to a backend on the worker.</summary>
    public async Task RouteAsync(string host, string service, int backend, string? address = null)
    {
        _backends[host] = backend;
        _services[$"{service}.mcp.internal"] = Issue($"{service}.mcp.internal");
        await Worker.PushAsync(new
        {
            Routes = _backends.Select(b => new { Host = b.Key, Port = b.Value, PassThrough = false }),
            Certificates = _services.Select(c => new { Host = c.Key, File = c.Value }),
        });
        _public[host] = new PushedRoute(host, service, $"{service}.mcp.internal", [address ?? "127.0.0.1"], Overlay, Issue(host));
        await PushAsync();
    }

    /// <summary>Only the edge's side of it.</summary>
    public async Task ChangeAsync(string host, Func<PushedRoute, PushedRoute> change)
    {
        _public[host] = change(_public[host]);
        await PushAsync();
    }

    public async Task RemoveAsync(string host)
    {
        _public.Remove(host);
        await PushAsync();
    }

    private Task PushAsync() => Edge.PushAsync(new { Routes = Array.Empty<object>(), Public = _public.Values });

    /// <summary>A certificate of the fleet's CA with its key, in PEM; the same file each time, with another certificate.</summary>
    public string Issue(string name)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=x", key, HashAlgorithmName.SHA256).CreateSigningRequestPem();
        using var signed = _authority.SignServer(request, name, [name], TimeProvider.System.GetUtcNow(), TimeSpan.FromDays(1));
        var file = Path.Combine(_directory, $"{name}.pem");
        File.WriteAllText(
            file,
            $"{signed.ExportCertificatePem()}\n{_authority.Certificate.ExportCertificatePem()}\n{key.ExportPkcs8PrivateKeyPem()}");
        return file;
    }

    /// <summary>A client of the public, that trusts the fleet's CA.</summary>
    public HttpClient Client(Version? version = null) =>
        new(Handler())
        {
            DefaultRequestVersion = version ?? HttpVersion.Version11,
            DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Timeout = TimeSpan.FromSeconds(20),
        };

    public SocketsHttpHandler Handler() => new()
    {
        AllowAutoRedirect = false,
        ConnectCallback = async (context, ct) =>
        {
            var socket = new System.Net.Sockets.Socket(
                System.Net.Sockets.SocketType.Stream,
                System.Net.Sockets.ProtocolType.Tcp)
            { NoDelay = true };
            await socket.ConnectAsync(IPAddress.Loopback, context.DnsEndPoint.Port, ct);
            return new System.Net.Sockets.NetworkStream(socket, ownsSocket: true);
        },
        SslOptions = { CertificateChainPolicy = new X509ChainPolicy
        {
            TrustMode = X509ChainTrustMode.CustomRootTrust,
            CustomTrustStore = { _authority.Certificate },
            RevocationMode = X509RevocationMode.NoCheck,
        } },
    };

    public Uri Url(string host, string path = "/") => new($"https://{host}:{Https}{path}");

    public async ValueTask DisposeAsync()
    {
        await Edge.DisposeAsync();
        await Worker.DisposeAsync();
        _authority.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    private void Join(string state, string name)
    {
        var member = Directory.CreateDirectory(Path.Combine(state, "member")).FullName;
        File.Copy(CaFile, Path.Combine(member, "ca.crt"));
        using var node = _authority.IssuePeer(
            new PeerName(Label.Parse(name), false),
            [name],
            TimeProvider.System.GetUtcNow(),
            TimeSpan.FromDays(1));
        File.WriteAllText(
            Path.Combine(member, "node.pem"),
            $"{node.ExportCertificatePem()}\n{node.GetECDsaPrivateKey()!.ExportPkcs8PrivateKeyPem()}");
    }
}
