using System.Diagnostics;
using System.Text.Json;
using Mcp.FleetTests.Hosts;

[assembly: AssemblyFixture(typeof(Fleet))]

namespace Mcp.FleetTests.Hosts;

/// <summary>Three nodes and an edge node on one machine, each in a network namespace with an address in 100.64.0.0/10, its own podman store
/// and agent; the master beside the first. All published programs.</summary>
public sealed class Fleet : IAsyncLifetime
{
    private const int MasterPort = 7443;
    private const int AgentPort = 7444;
    private const int RegistryPort = 5000;
    private readonly string _directory = Directory.CreateTempSubdirectory("mcp-fleet").FullName;
    private readonly string _prefix = $"mcpf{Environment.ProcessId}";
    private readonly Dictionary<string, Process> _agents = [];
    private readonly List<Process> _registries = [];
    private Process? _master;

    public Fleet() => Outside = new Outside(this);

    /// <summary>Where the public lives.</summary>
    public Outside Outside { get; }

    public static IReadOnlyList<string> Nodes { get; } = ["alder", "beech", "cedar"];

    /// <summary>The edge node: it has a foot in the world outside, and no services.</summary>
    public const string Edge = "elder";

    private static IReadOnlyList<string> All { get; } = [.. Nodes, Edge];

    /// <summary>The node whose clock is ten minutes slow, in all tests.</summary>
    public const string Slow = "cedar";

    private static readonly Dictionary<string, string> s_slowClock = new()
    {
        ["LD_PRELOAD"] = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1",
        // The monotonic clock is as slow: where libfaketime leaves it alone, waits of .NET end at once, and threads spin.
        ["FAKETIME"] = "-10m",
    };

    public string Hub => $"{_prefix}-hub";

    public string Root => _directory;

    public string MasterState => Path.Combine(_directory, "master");

    public static string MasterAddress => $"{Address("alder")}:{MasterPort}";

    public static string Image(string tag) => $"127.0.0.1:{RegistryPort}/hello:{tag}";

    public static string Address(string node) => $"100.64.7.{1 + All.ToList().IndexOf(node)}";

    public string State(string node) => Path.Combine(_directory, node, "state");

    public async ValueTask InitializeAsync()
    {
        await LayAsync();
        await File.WriteAllTextAsync(
            Path.Combine(_directory, "registry.yml"),
            $"version: 0.1\nstorage: {{ filesystem: {{ rootdirectory: {_directory}/registry }} }}\nhttp: {{ addr: "
                + $"127.0.0.1:{RegistryPort} }}\n");
        // One store of images, served in each namespace: a registry on loopback needs no TLS.
        foreach (var node in Nodes)
            _registries.Add(StartIn(node, "docker-registry", ["serve", Path.Combine(_directory, "registry.yml")]));
        foreach (var tag in (string[])["v1", "v2"])
            await InAsync("alder", Path.Combine(Command.Repository, "scripts", "sample-image"), Image(tag), $"hello from {tag}");
        await InAsync(
            "alder",
            Path.Combine(Command.Bin, "mcp-master"),
            "init",
            "--state",
            MasterState,
            "--listen",
            MasterAddress,
            "--name",
            "main");
        var toml = Path.Combine(MasterState, "master.toml");
        await File.WriteAllTextAsync(
            toml,
            (await File.ReadAllTextAsync(toml))
                .Replace("allowed_domains = []", "allowed_domains = [\"example.com\"]", StringComparison.Ordinal)
                .Replace("\"10s\"", "\"1s\"", StringComparison.Ordinal)
                .Replace("\"5s\"", "\"1s\"", StringComparison.Ordinal));
        StartMaster();
        await UntilAsync(
            async () => (await McpAsync(
                "login",
                "--master",
                MasterAddress,
                "--ca",
                Path.Combine(MasterState, "ca.crt"),
                "--token-file",
                Path.Combine(MasterState, "admin.token"))).ExitCode == 0,
            "the master takes a login");
        await Outside.StartAsync();
        foreach (var node in All)
            await JoinAsync(node);
        await UntilAsync(async () => (await NodesAsync()).Count(n => n.State == "reachable") == All.Count, "all nodes are reachable");
    }

    public void StartMaster() =>
        _master = StartIn("alder", Path.Combine(Command.Bin, "mcp-master"), ["run", "--config", Path.Combine(MasterState, "master.toml")]);

    public async Task KillMasterAsync()
    {
        _master!.Kill();
        await _master.WaitForExitAsync();
    }

    /// <summary>SIGTERM, and its exit code.</summary>
    public async Task<int> StopMasterAsync()
    {
        await RunAsync("kill", "-TERM", $"{_master!.Id}");
        await _master.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(20));
        return _master.ExitCode;
    }

    public Task<(int ExitCode, string Output, string Error)> McpAsync(params string[] arguments) => McpOfAsync("home", arguments);

    /// <summary>With another login than the master's.</summary>
    public Task<(int ExitCode, string Output, string Error)> McpOfAsync(string home, params string[] arguments) =>
        Command.RunAsync("nsenter", [$"--net=/run/netns/{_prefix}-alder", Path.Combine(Command.Bin, "mcp"), .. arguments], LoginIn(home));

    public Process StartMcp(params string[] arguments) =>
        Command.Start("nsenter", [$"--net=/run/netns/{_prefix}-alder", Path.Combine(Command.Bin, "mcp"), .. arguments], LoginIn("home"));

    private Dictionary<string, string> LoginIn(string name) => new() { ["MCP_HOME"] = Path.Combine(_directory, name) };

    public async Task<string> McpOkAsync(params string[] arguments)
    {
        var (exitCode, output, error) = await McpAsync(arguments);
        Assert.True(exitCode == 0, $"mcp {string.Join(' ', arguments)}: exit code {exitCode}\n{output}\n{error}\n{await LogAsync()}");
        return output;
    }

    public async Task<List<(string Name, string State)>> NodesAsync()
    {
        using var json = JsonDocument.Parse(await McpOkAsync("node", "list", "-o", "json"));
        return [.. json.RootElement.GetProperty("nodes")
            .EnumerateArray()
            .Select(n => (n.GetProperty("name").GetString()!, n.GetProperty("state").GetString()!))];
    }

    /// <summary>Removes what an earlier test left, failed or not.</summary>
    public async Task EmptyAsync()
    {
        foreach (var service in (await StatusAsync()).Select(c => c.Service).Distinct().ToList())
            await McpOkAsync("undeploy", service);
        foreach (var node in Nodes)
            await McpOkAsync("node", "uncordon", node);
    }

    /// <summary>Until the master has heard of the node's services as they are now.</summary>
    public async Task HeartbeatAsync(string node)
    {
        // The first one may have been on its way already.
        for (var i = 0; i < 2; i++)
        {
            var before = await LastAsync();
            await UntilAsync(async () => await LastAsync() != before, $"a heartbeat of {node}");
        }

        async Task<string> LastAsync()
        {
            using var json = JsonDocument.Parse(await McpOkAsync("node", "list", "-o", "json"));
            return json.RootElement.GetProperty("nodes")
                .EnumerateArray()
                .Single(n => n.GetProperty("name").GetString() == node)
                .GetProperty("last_heartbeat")
                .GetString()!;
        }
    }

    /// <summary>What DNS says of a name in the internal zone; empty: there is none.</summary>
    public async Task<string> LookUpAsync(string name) =>
        (await Command.RunAsync(
            "nsenter",
            [
                $"--net=/run/netns/{_prefix}-beech",
                "dig",
                $"@{Address("alder")}",
                "+short",
                "+time=2",
                $"{name}.mcp.internal",
            ])).Output.Trim();

    /// <summary>Each component's service, node, and whether its node answered.</summary>
    public async Task<List<(string Service, string Node, string Observed, bool Stale)>> StatusAsync()
    {
        using var json = JsonDocument.Parse(await McpOkAsync("status", "-o", "json"));
        return [.. json.RootElement.GetProperty("components")
            .EnumerateArray()
            .Select(c => (c.GetProperty("service")
                .GetString()!, c.GetProperty("node").GetString()!, c.GetProperty("observed").GetString()!, c
                .GetProperty("stale")
                .GetBoolean()))];
    }

    public string Write(string name, string tag = "v1", string extra = "", string hostname = "", bool isPublic = false)
    {
        var file = Path.Combine(_directory, $"{name}-{Guid.NewGuid():N}.toml");
        File.WriteAllText(file, $$"""
            name = "{{name}}"
            {{extra}}
            [[components]]
            name = "web"
            image = "{{Image(tag)}}"
            health = { http = "/", interval = "100ms", retries = 50 }
            watch = "0s"
            [[components.routes]]
            name = "http"
            port = 8080
            hostname = "{{(hostname.Length > 0 ? hostname : $"{name}.example.com")}}"
            public = {{(isPublic ? "true" : "false")}}
            """);
        return file;
    }

    /// <summary>What the service answers on that node's proxy; empty: nothing.</summary>
    public Task<string> GetAsync(string node, string name) => GetAtAsync(Address(node), name);

    public async Task<string> GetAtAsync(string address, string name) =>
        (await Command.RunAsync(
            "nsenter",
            [
                $"--net=/run/netns/{_prefix}-alder",
                "curl",
                "-fsS",
                "-m",
                "5",
                "-H",
                $"Host: {name}.example.com",
                $"http://{address}:8080/",
            ])).Output.Trim();

    /// <summary>What the service answers to another node, by its name, over TLS that only the fleet's CA vouches for; empty:
    /// nothing.</summary>
    public async Task<string> GetByNameAsync(string name, string? at = null) => (await Command.RunAsync(
        "nsenter",
        [
            $"--net=/run/netns/{_prefix}-alder",
            "curl",
            "-fsS",
            "-m",
            "5",
            "--cacert",
            Path.Combine(MasterState, "ca.crt"),
            "--resolve",
            $"{name}.mcp.internal:8444:{at ?? await LookUpAsync(name)}",
            $"https://{name}.mcp.internal:8444/",
        ])).Output.Trim();

    public async Task<string[]> ContainersAsync(string node, string service) =>
        (await PodmanAsync(node, "ps", "-a", "--filter", $"label=mcp.service={service}", "--format", "{{.Names}}")).Split(
            '\n',
            StringSplitOptions.RemoveEmptyEntries);

    public async Task<string> PodmanAsync(string node, params string[] arguments)
    {
        // A container's network is that of the namespace which it was started from.
        var (exitCode, output, error) = await Command.RunAsync(
            "nsenter",
            [
                $"--net=/run/netns/{_prefix}-{(Nodes.Contains(node) ? node : "beech")}",
                "podman",
                "--root",
                $"{_directory}/{node}/podman",
                "--runroot",
                $"{_directory}/{node}/podman-run",
                .. arguments,
            ],
            new Dictionary<string, string> { ["CONTAINERS_CONF"] = $"{_directory}/{node}/containers.conf" });
        Assert.True(exitCode == 0, $"podman {string.Join(' ', arguments)}: {error}");
        return output;
    }

    public Task CutAsync(string node) => RunAsync("ip", "-n", Hub, "link", "set", $"v-{node}", "down");

    public Task MendAsync(string node) => RunAsync("ip", "-n", Hub, "link", "set", $"v-{node}", "up");

    public Task<(int ExitCode, string Output, string Error)> JoinAsync(string node, string tokenFile, string state) =>
        Command.RunAsync(
            "nsenter",
            [
                $"--net=/run/netns/{_prefix}-{node}",
                Path.Combine(Command.Bin, "mcp-agent"),
                "join",
                "--state",
                state,
                "--master",
                MasterAddress,
                "--token-file",
                tokenFile,
                "--listen",
                $"{Address(node)}:{AgentPort}",
                "--name",
                Path.GetFileName(Path.GetDirectoryName(state))!,
            ]);

    /// <summary>An empty gRPC request, shown a node's certificate for; the message that comes back.</summary>
    public async Task<string> CallAsync(string member, string address, string method)
    {
        // An empty message: not compressed, no bytes.
        var empty = Path.Combine(_directory, "empty.grpc");
        await File.WriteAllBytesAsync(empty, new byte[5]);
        var (_, output, error) = await Command.RunAsync("nsenter",
        [
            $"--net=/run/netns/{_prefix}-alder", "curl", "-sS", "-k", "-m", "10", "-D", "-", "-o", "/dev/null", "--http2-prior-knowledge", "--cert", Path.Combine(member, "node.pem"), "-H", "content-type: application/grpc", "-H", "te: trailers",
            "--data-binary", $"@{empty}", $"https://{address}{method}",
        ]);
        return Uri.UnescapeDataString(output) + error;
    }

    public string NewFile(string text)
    {
        var file = Path.Combine(_directory, Guid.NewGuid().ToString("N"));
        File.WriteAllText(file, text);
        return file;
    }

    /// <param name="explain">What to show when it does not come true.</param>
    public static async Task UntilAsync(Func<Task<bool>> condition, string what, Func<Task<string>>? explain = null)
    {
        var clock = Stopwatch.StartNew();
        while (!await condition())
        {
            if (clock.Elapsed > TimeSpan.FromSeconds(60))
                Assert.Fail($"not within 60 s: {what}\n{(explain is null ? "" : await explain())}");
            await Task.Delay(100);
        }
    }

    public async ValueTask DisposeAsync()
    {
        Outside.Stop();
        _master?.Kill();
        foreach (var node in All)
        {
            var podman = new Dictionary<string, string> { ["CONTAINERS_CONF"] = $"{_directory}/{node}/containers.conf" };
            string[] store = ["--root", $"{_directory}/{node}/podman", "--runroot", $"{_directory}/{node}/podman-run"];
            if (_agents.TryGetValue(node, out var agent))
                agent.Kill();
            foreach (var name in (await Command.RunAsync(
                "nsenter",
                [$"--net=/run/netns/{_prefix}-{node}", "podman", .. store, "ps", "-aq"],
                podman)).Output.Split(
                '\n',
                StringSplitOptions.RemoveEmptyEntries))
            {
                await Command.RunAsync(
                    "nsenter",
                    [$"--net=/run/netns/{_prefix}-{node}", "podman", .. store, "rm", "-f", "-t", "0", name],
                    podman);
            }
        }

        foreach (var process in _registries)
            process.Kill();
        foreach (var pid in (await Command.RunAsync("pgrep", ["-f", _directory])).Output.Split('\n', StringSplitOptions.RemoveEmptyEntries))
            await Command.RunAsync("kill", ["-9", pid]);
        foreach (var node in (IEnumerable<string>)[.. All, "hub"])
            await Command.RunAsync("ip", ["netns", "del", $"{_prefix}-{node}"]);
        foreach (var node in All)
            await Command.RunAsync("umount", ["-l", $"{_directory}/{node}/podman/overlay"]);
        await Command.RunAsync("rm", ["-rf", _directory]);
    }

    // A namespace with a bridge, and one for each node, on a cable of its own to it.
    private async Task LayAsync()
    {
        await RunAsync("ip", "netns", "add", Hub);
        await RunAsync("ip", "-n", Hub, "link", "add", "br0", "type", "bridge");
        await RunAsync("ip", "-n", Hub, "link", "set", "br0", "up");
        foreach (var node in All)
        {
            var space = $"{_prefix}-{node}";
            await RunAsync("ip", "netns", "add", space);
            await RunAsync("ip", "-n", space, "link", "add", "eth0", "type", "veth", "peer", "name", $"v-{node}", "netns", Hub);
            await RunAsync("ip", "-n", Hub, "link", "set", $"v-{node}", "master", "br0", "up");
            await RunAsync("ip", "-n", space, "address", "add", $"{Address(node)}/10", "dev", "eth0");
            await RunAsync("ip", "-n", space, "link", "set", "eth0", "up");
            await RunAsync("ip", "-n", space, "link", "set", "lo", "up");
        }

        await RunAsync("ip", "-n", Hub, "link", "set", "lo", "up");
        await RunAsync("ip", "-n", Hub, "address", "add", $"{Outside.Address}/24", "dev", "br0");
        await RunAsync("ip", "-n", $"{_prefix}-{Edge}", "address", "add", $"{Outside.EdgeAddress}/24", "dev", "eth0");
    }

    private async Task JoinAsync(string node)
    {
        var token = await McpOkAsync("node", "join-token", "--role", node switch { "alder" => "master", Edge => "edge", _ => "worker" });
        var (exitCode, _, error) = await JoinAsync(node, NewFile(token), State(node));
        Assert.True(exitCode == 0, error);
        var podman = (await Command.RunAsync(
            Path.Combine(Command.Repository, "scripts", "podman-here"),
            [Path.Combine(_directory, node)])).Output;
        var toml = Path.Combine(State(node), "agent.toml");
        await File.WriteAllTextAsync(
            toml,
            (await File.ReadAllTextAsync(toml))
                .Replace("127.0.0.1:8080", $"{Address(node)}:8080", StringComparison.Ordinal)
                .Replace("\"/srv\"", $"\"{_directory}/{node}/srv\"", StringComparison.Ordinal)
                .Replace("[podman]\n", $"[podman]\n{podman}\n", StringComparison.Ordinal));
        if (node == Edge)
            await Outside.OpenAsync(toml);
        StartAgent(node);
    }

    public void StartAgent(string node) =>
        _agents[node] = StartIn(
            node,
            Path.Combine(Command.Bin, "mcp-agent"),
            ["run", "--config", Path.Combine(State(node), "agent.toml")],
            node == Slow ? s_slowClock : null);

    public async Task KillAgentAsync(string node)
    {
        _agents[node].Kill();
        // Not WaitForExitAsync: that waits for the pipes too, and what lives on has inherited them.
        while (!_agents[node].HasExited)
            await Task.Delay(5);
    }

    public async Task KillProxyAsync(string node)
    {
        var pid = int.Parse(
            await File.ReadAllTextAsync(Path.Combine(State(node), "proxy.pid")),
            System.Globalization.CultureInfo.InvariantCulture);
        await RunAsync("kill", "-9", $"{pid}");
        await UntilAsync(() => Task.FromResult(!Directory.Exists($"/proc/{pid}")), "the proxy is gone");
    }

    /// <summary>Operations that the master has begun and not ended.</summary>
    public long OpenOperations()
    {
        return long.Parse(Query(MasterDatabase, "SELECT COUNT(*) FROM operations")[0], System.Globalization.CultureInfo.InvariantCulture);
    }

    public string MasterDatabase => Path.Combine(MasterState, "master.db");

    public string DatabaseOf(string node) => Path.Combine(State(node), "registry.db");

    /// <summary>The first column of a running program's database.</summary>
    public static List<string> Query(string file, string sql)
    {
        using var connection = new Microsoft.Data.Sqlite.SqliteConnection($"Data Source={file};Mode=ReadOnly;Pooling=False");
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        using var reader = command.ExecuteReader();
        var rows = new List<string>();
        while (reader.Read())
            rows.Add(reader.GetString(0));
        return rows;
    }

    public Process StartIn(
        string node,
        string program,
        IReadOnlyList<string> arguments,
        IReadOnlyDictionary<string, string>? environment = null)
    {
        var process = Command.Start("nsenter", [$"--net=/run/netns/{_prefix}-{node}", program, .. arguments], environment);
        var log = Path.Combine(_directory, $"{Path.GetFileName(program)}-{node}.log");
        foreach (var stream in (StreamReader[])[process.StandardOutput, process.StandardError])
        {
            _ = Task.Run(async () =>
            {
                await using var file =
                    new StreamWriter(new FileStream(log, FileMode.Append, FileAccess.Write, FileShare.ReadWrite)) { AutoFlush = true };
                while (await stream.ReadLineAsync() is { } line)
                    await file.WriteLineAsync(line);
            });
        }

        return process;
    }

    private async Task<string> LogAsync()
    {
        var text = "";
        foreach (var log in Directory.GetFiles(_directory, "mcp-*.log"))
            text += $"--- {Path.GetFileName(log)}\n{string.Join('\n', (await File.ReadAllLinesAsync(log)).TakeLast(15))}\n";
        return text;
    }

    public Task<(int ExitCode, string Output, string Error)> RunInAsync(string node, string program, params string[] arguments) =>
        Command.RunAsync("nsenter", [$"--net=/run/netns/{_prefix}-{node}", program, .. arguments]);

    public Task InAsync(string node, string program, params string[] arguments) =>
        RunAsync("nsenter", [$"--net=/run/netns/{_prefix}-{node}", program, .. arguments]);

    private static async Task RunAsync(string program, params string[] arguments)
    {
        var (exitCode, output, error) = await Command.RunAsync(program, arguments);
        Assert.True(exitCode == 0, $"{program} {string.Join(' ', arguments)}: exit code {exitCode}\n{output}\n{error}");
    }
}
