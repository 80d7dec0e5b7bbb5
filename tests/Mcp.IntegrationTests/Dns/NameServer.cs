using System.Diagnostics;
using System.Net;
using System.Security.Cryptography;
using Mcp.IntegrationTests.Hosts;
using Mcp.Master.Dns.Rfc2136;
using Mcp.Master.Store;
using Mcp.Model.Names;

namespace Mcp.IntegrationTests.Dns;

/// <summary>A real name server with a zone that a key may update, and one name that is not mcp's.</summary>
public sealed class NameServer : IAsyncDisposable
{
    public const string Foreign = "taken";
    private readonly string _directory = Directory.CreateTempSubdirectory("mcp-names").FullName;
    private readonly byte[] _secret = RandomNumberGenerator.GetBytes(32);
    private readonly IPEndPoint _address = new(IPAddress.Loopback, NodeFixture.FreePort());
    private readonly MasterStore _store;
    private Process? _process;

    private NameServer() => _store = MasterStore.Open(Path.Combine(_directory, "master.db"), TimeProvider.System);

    public static Hostname Zone { get; } = Hostname.TryParse("mcp.internal", out var zone) ? zone : throw new InvalidOperationException();

    public static Task<NameServer> BindAsync() => StartAsync("/usr/sbin/named", "named.conf", s => $$"""
        options { directory "{{s._directory}}"; listen-on port {{s._address.Port}} { 127.0.0.1; }; listen-on-v6 { none; }; pid-file "{{s._directory}}/named.pid"; session-keyfile "{{s._directory}}/session.key"; recursion no; dnssec-validation no; };
        controls { };
        key "mcp" { algorithm hmac-sha256; secret "{{Convert.ToBase64String(s._secret)}}"; };
        zone "{{Zone}}" { type primary; file "{{s._directory}}/zone.db"; update-policy { grant mcp zonesub ANY; }; };
        """, file => ["-g", "-c", file]);

    public static Task<NameServer> KnotAsync() => StartAsync("/usr/sbin/knotd", "knot.conf", s => $"""
        server:
            rundir: "{s._directory}"
            listen: 127.0.0.1@{s._address.Port}
        key:
          - id: mcp
            algorithm: hmac-sha256
            secret: {Convert.ToBase64String(s._secret)}
        acl:
          - id: change
            key: mcp
            action: update
        database:
            storage: "{s._directory}"
        zone:
          - domain: {Zone}
            storage: "{s._directory}"
            file: zone.db
            acl: change
        """, file => ["-c", file]);

    public Rfc2136Dns Provider(byte[]? secret = null) =>
        new(
            new Rfc2136Options(_address, Zone, "mcp", secret ?? _secret, TimeSpan.FromSeconds(5)),
            "main",
            _store.DnsRecords,
            TimeProvider.System);

    public async Task<string> DigAsync(params string[] question) =>
        Answers((await Command.RunAsync("dig", ["+short", "+time=2", "@127.0.0.1", "-p", $"{_address.Port}", .. question])).Output);

    /// <summary>What dig +short says, without what it says of a packet that was lost and sent again.</summary>
    public static string Answers(string output) =>
        string.Join('\n', output.Split('\n').Where(line => !line.StartsWith(";;", StringComparison.Ordinal))).Trim();

    public async Task EndAsync()
    {
        _process!.Kill();
        await _process.WaitForExitAsync();
    }

    public async ValueTask DisposeAsync()
    {
        if (_process is { HasExited: false })
            await EndAsync();
        _process?.Dispose();
        _store.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    private static async Task<NameServer> StartAsync(
        string program,
        string name,
        Func<NameServer, string> configuration,
        Func<string, string[]> arguments)
    {
        var server = new NameServer();
        await File.WriteAllTextAsync(Path.Combine(server._directory, "zone.db"), $"""
            $TTL 5
            @ IN SOA ns.{Zone}. hostmaster.{Zone}. 1 3600 600 86400 5
            @ IN NS ns.{Zone}.
            ns IN A 127.0.0.1
            {Foreign} IN A 10.0.0.9

            """);
        var file = Path.Combine(server._directory, name);
        await File.WriteAllTextAsync(file, configuration(server));
        server._process = Command.Start(program, arguments(file));
        NodeFixture.Swallow(server._process);
        await NodeFixture.UntilAsync(async () => await server.DigAsync($"{Foreign}.{Zone}", "A") == "10.0.0.9", $"{program} answers");
        return server;
    }
}
