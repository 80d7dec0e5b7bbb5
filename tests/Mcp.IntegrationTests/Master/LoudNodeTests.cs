using System.Globalization;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Google.Protobuf;
using Grpc.Core;
using Mcp.Daemon.Identity;
using Mcp.IntegrationTests.Hosts;
using Mcp.Protocol.V1;

namespace Mcp.IntegrationTests.Master;

/// <summary>The published master, and a node that joined it and then says more than it may.</summary>
public sealed class LoudNodeTests : IAsyncLifetime
{
    private readonly string _directory = Directory.CreateTempSubdirectory("mcp-loud").FullName;
    private readonly string _address = $"127.0.0.1:{NodeFixture.FreePort()}";
    private System.Diagnostics.Process _master = null!;
    private X509Certificate2 _authority = null!;

    public async ValueTask InitializeAsync()
    {
        NodeFixture.Succeeded(await Command.RunAsync(
            Path.Combine(Command.Bin, "mcp-master"),
            ["init", "--state", State, "--listen", _address, "--name", "main"]));
        var toml = Path.Combine(State, "master.toml");
        await File.WriteAllTextAsync(
            toml,
            (await File.ReadAllTextAsync(toml)).Replace(
                "127.0.0.1:53\"",
                $"127.0.0.1:{NodeFixture.FreePort()}\"",
                StringComparison.Ordinal));
        _master = Command.Start(Path.Combine(Command.Bin, "mcp-master"), ["run", "--config", toml]);
        NodeFixture.Swallow(_master);
        await NodeFixture.UntilAsync(
            async () => (await McpAsync(
                "login",
                "--master",
                _address,
                "--ca",
                Path.Combine(State, "ca.crt"),
                "--token-file",
                Path.Combine(State, "admin.token"))).ExitCode == 0,
            "the master takes a login");
        _authority = X509CertificateLoader.LoadCertificateFromFile(Path.Combine(State, "ca.crt"));
    }

    public async ValueTask DisposeAsync()
    {
        _master.Kill();
        await _master.WaitForExitAsync();
        _master.Dispose();
        _authority.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    [Fact]
    public async Task Heartbeats_that_are_long_or_of_millions_of_parts_cost_the_master_little_and_other_nodes_nothing()
    {
        using var loud = await JoinAsync("loud");
        using var well = await JoinAsync("well");
        using var loudChannel = PeerTls.Channel(_address, PeerName.MasterTlsName, _authority, loud);
        using var wellChannel = PeerTls.Channel(_address, PeerName.MasterTlsName, _authority, well);
        var master = new Protocol.V1.Master.MasterClient(loudChannel);
        // A zone that the master takes, and keeps short.
        await master.HeartbeatAsync(Beat("loud", b => b.Facts.Zone = new string('z', 3_900_000)), deadline: Soon());
        Assert.InRange((await FactsAsync()).Length, 0, 20_000);
        var before = Resident();
        var many = Beat("loud", b => b.Status.Components.AddRange(Enumerable.Repeat(new ComponentStatus(), 1_900_000)));
        for (var round = 0; round < 5; round++)
        {
            var calls = Enumerable.Range(0, 20).Select(_ => master.HeartbeatAsync(many, deadline: Soon()).ResponseAsync).ToList();
            Assert.All(await Task.WhenAll(calls.Select(CodeAsync)), c => Assert.NotEqual(StatusCode.OK, c));
            await new Protocol.V1.Master.MasterClient(wellChannel).HeartbeatAsync(Beat("well", _ => { }), deadline: Soon());
        }

        Assert.InRange(Resident() - before, long.MinValue, 250_000_000);
        Assert.Contains("well", NodeFixture.Succeeded(await McpAsync("node", "list")), StringComparison.Ordinal);
    }

    private string State => Path.Combine(_directory, "master");

    private static DateTime Soon() => TimeProvider.System.GetUtcNow().UtcDateTime.AddSeconds(30);

    private static HeartbeatRequest Beat(string name, Action<HeartbeatRequest> change)
    {
        var beat = new HeartbeatRequest { Facts = new NodeStatusReply { Node = name }, Status = new StatusReply { Node = name } };
        change(beat);
        return beat;
    }

    private static async Task<StatusCode> CodeAsync(Task call)
    {
        try
        {
            await call;
            return StatusCode.OK;
        }
        catch (RpcException e)
        {
            return e.StatusCode;
        }
    }

    private async Task<byte[]> FactsAsync()
    {
        var token = await File.ReadAllTextAsync(Path.Combine(State, "admin.token"));
        using var anybody = PeerTls.Channel(_address, PeerName.MasterTlsName, _authority, null, 64 * 1024 * 1024);
        var nodes = await new Protocol.V1.Master.MasterClient(anybody).ListNodesAsync(
            new ListNodesRequest(),
            new Metadata { { "authorization", $"Bearer {token.Trim()}" } },
            Soon());
        return nodes.Nodes.Single(n => n.Name == "loud").Facts.ToByteArray();
    }

    private async Task<X509Certificate2> JoinAsync(string name)
    {
        var text = NodeFixture.Succeeded(await McpAsync("node", "join-token")).Trim();
        Assert.True(JoinToken.TryParse(text, out var token), text);
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var channel = PeerTls.Channel(_address, PeerName.MasterTlsName, _authority, null);
        var request = new JoinRequest
        {
            Secret = token.Secret,
            Name = name,
            Address = $"127.0.0.1:{NodeFixture.FreePort()}",
            CertificateRequest = new CertificateRequest("CN=node", key, HashAlgorithmName.SHA256).CreateSigningRequestPem(),
        };
        var given = await new Protocol.V1.Master.MasterClient(channel).JoinAsync(request, deadline: Soon());
        using var bare = X509Certificate2.CreateFromPem(given.Certificate);
        using var whole = bare.CopyWithPrivateKey(key);
        return X509CertificateLoader.LoadPkcs12(whole.Export(X509ContentType.Pkcs12), null);
    }

    private long Resident() =>
        long.Parse(
            File.ReadLines($"/proc/{_master.Id}/status")
                .Single(l => l.StartsWith("VmHWM:", StringComparison.Ordinal))
                .Split(' ', StringSplitOptions.RemoveEmptyEntries)[1],
            CultureInfo.InvariantCulture) * 1024;

    private Task<(int ExitCode, string Output, string Error)> McpAsync(params string[] arguments) =>
        Command.RunAsync(
            Path.Combine(Command.Bin, "mcp"),
            arguments,
            new Dictionary<string, string> { ["MCP_HOME"] = Path.Combine(_directory, "home") });
}
