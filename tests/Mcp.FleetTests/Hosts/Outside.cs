using System.Diagnostics;
using Google.Protobuf;
using Mcp.Protocol.V1;

namespace Mcp.FleetTests.Hosts;

/// <summary>The world outside of the overlay, in the hub's namespace: clients, an ACME server (pebble), and DNS that says that every name
/// is the edge node, or what a test wants.</summary>
public sealed class Outside(Fleet fleet)
{
    public const string Address = "203.0.113.9";
    public const string EdgeAddress = "203.0.113.1";
    private const string Management = $"{Address}:8055";
    private readonly List<Process> _servers = [];

    /// <summary>DNS whose answers a test chooses.</summary>
    public const string Dns = $"{Address}:5353";

    private string Of(string file) => Path.Combine(fleet.Root, "outside", file);

    public string Root => Of("root.pem");

    public async Task StartAsync()
    {
        Directory.CreateDirectory(Of(""));
        await InAsync(
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-keyout",
            Of("pebble.key"),
            "-out",
            Of("pebble.crt"),
            "-days",
            "2",
            "-subj",
            "/CN=pebble",
            "-addext",
            $"subjectAltName=IP:{Address}");
        await File.WriteAllTextAsync(Of("pebble.json"), $$"""
            { "pebble": { "listenAddress": "{{Address}}:14000", "managementListenAddress": "{{Address}}:15000", "certificate": "{{Of("pebble.crt")}}", "privateKey": "{{Of("pebble.key")}}", "httpPort": 80, "tlsPort": 443 } }
            """);
        _servers.Add(fleet.StartIn(
            "hub",
            "pebble-challtestsrv",
            [
                "-defaultIPv4",
                EdgeAddress,
                "-defaultIPv6",
                "",
                "-dns01",
                Dns,
                "-http01",
                "",
                "-https01",
                "",
                "-tlsalpn01",
                "",
                "-management",
                Management,
            ]));
        _servers.Add(fleet.StartIn(
            "hub",
            "pebble",
            ["-config", Of("pebble.json"), "-dnsserver", Dns],
            new Dictionary<string, string> { ["PEBBLE_VA_NOSLEEP"] = "1" }));
        await Fleet.UntilAsync(
            async () => (await RunAsync(
                "curl",
                "-sS",
                "--cacert",
                Of("pebble.crt"),
                "-o",
                Root,
                $"https://{Address}:15000/roots/0")).ExitCode == 0,
            "pebble answers");
    }

    /// <summary>The edge node as the join has set it up, with pebble's certificates and its address outside.</summary>
    public async Task OpenAsync(string toml)
    {
        var joined = await File.ReadAllTextAsync(toml);
        Assert.Contains("[edge]", joined, StringComparison.Ordinal);
        await File.WriteAllTextAsync(
            toml,
            joined.Replace("0.0.0.0:", $"{EdgeAddress}:", StringComparison.Ordinal)
                .Replace(
                    "certificates = \"internal\"",
                    $"certificates = \"acme\"\nacme_directory = \"https://{Address}:14000/dir\"\nacme_email = "
                        + $"\"edge@example.com\"\nacme_ca = \"{Of("pebble.crt")}\"",
                    StringComparison.Ordinal));
    }

    /// <summary>What the world's DNS says of a name; the edge node where nobody said anything else.</summary>
    public async Task NameAsync(string name, params string[] addresses)
    {
        await InAsync("curl", "-sSf", "-d", $$"""{"host":"{{name}}."}""", $"http://{Management}/clear-a");
        await InAsync(
            "curl",
            "-sSf",
            "-d",
            $$"""{"host":"{{name}}.","addresses":[{{string.Join(",", addresses.Select(a => $"\"{a}\""))}}]}""",
            $"http://{Management}/add-a");
    }

    /// <summary>What a browser gets at that host: the answer and the status; only pebble's certificates count.</summary>
    public async Task<(string Answer, string Status)> GetAsync(string host, string path = "/")
    {
        var (_, output, error) = await RunAsync(
            "curl",
            "-sS",
            "-m",
            "10",
            "--cacert",
            Root,
            "--resolve",
            $"{host}:443:{EdgeAddress}",
            "-w",
            "\n%{http_code}",
            $"https://{host}{path}");
        var end = output.LastIndexOf('\n');
        return (output[..Math.Max(0, end)].Trim() + error, output[(end + 1)..]);
    }

    /// <summary>An RPC of the edge node's agent, as an administrator; what it answers or why not.</summary>
    public async Task<string> SetupAsync(string hostname, string service, string backend, string resolver = Dns)
    {
        var message = new EdgeRouteRequest { Hostname = hostname, Service = service, Backend = backend, Resolver = resolver }.ToByteArray();
        var file = fleet.NewFile("");
        await File.WriteAllBytesAsync(file, [0, 0, 0, (byte)(message.Length >> 8), (byte)message.Length, .. message]);
        var (_, output, error) = await fleet.RunInAsync(
            Fleet.Edge,
            "curl",
            "-sS",
            "-k",
            "-m",
            "60",
            "-D",
            "-",
            "-o",
            "/dev/null",
            "--http2-prior-knowledge",
            "-H",
            "content-type: application/grpc",
            "-H",
            "te: trailers",
            "-H",
            $"authorization: Bearer {await File.ReadAllTextAsync(Path.Combine(fleet.MasterState, "admin.token"))}",
            "--data-binary",
            $"@{file}",
            $"https://{Fleet.Address(Fleet.Edge)}:7444/mcp.v1.Agent/SetupEdgeRoute");
        return Uri.UnescapeDataString(output) + error;
    }

    public Task<(int ExitCode, string Output, string Error)> RunAsync(string program, params string[] arguments) =>
        fleet.RunInAsync("hub", program, arguments);

    /// <summary>Ends what was started outside; one that a test has ended already is fine.</summary>
    public void Stop() => _servers.ForEach(server => server.Kill());

    /// <summary>pebble, which issues nothing while it is away.</summary>
    public void StopIssuing() => _servers[1].Kill();

    private async Task InAsync(string program, params string[] arguments)
    {
        var (exitCode, output, error) = await RunAsync(program, arguments);
        Assert.True(exitCode == 0, $"{program} {string.Join(' ', arguments)}: {output}{error}");
    }
}
