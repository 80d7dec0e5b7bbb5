using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Mcp.IntegrationTests.Hosts;

[assembly: AssemblyFixture(typeof(NodeFixture))]

namespace Mcp.IntegrationTests.Hosts;

/// <summary>A real registry, a real agent with its own podman store, and the real CLI; all published programs.</summary>
public sealed class NodeFixture : IAsyncLifetime
{
    private const int FirstPort = 10_000;
    private const int PortCount = 9_000;
    private static int s_ports = Random.Shared.Next(PortCount);

    private readonly string _directory = Directory.CreateTempSubdirectory("mcp-node").FullName;
    private readonly Dictionary<string, string> _environment;
    private readonly int _registryPort = FreePort();
    private readonly int _agentPort = FreePort();
    private Process? _registry;

    public NodeFixture() => _environment = new() { ["MCP_HOME"] = Path.Combine(_directory, "home") };

    public Process? Agent { get; private set; }

    public int ProxyPort { get; } = FreePort();

    public int ProxyTlsPort { get; } = FreePort();

    public string State => Path.Combine(_directory, "state");

    public string Files => Path.Combine(_directory, "srv");

    public string Address => $"127.0.0.1:{_agentPort}";

    /// <summary>Where podman takes images without TLS and does not know that it is this machine; nothing listens there by itself.</summary>
    public int StrangePort { get; } = FreePort();

    public int RegistryPort => _registryPort;

    public string Image(string tag) => $"127.0.0.1:{_registryPort}/hello:{tag}";

    public async ValueTask InitializeAsync()
    {
        var config = Path.Combine(_directory, "registry.yml");
        await File.WriteAllTextAsync(
            config,
            $"version: 0.1\nstorage: {{ filesystem: {{ rootdirectory: {_directory}/registry }} }}\nhttp: {{ addr: "
                + $"127.0.0.1:{_registryPort} }}\n");
        _registry = Command.Start("docker-registry", ["serve", config]);
        Swallow(_registry);
        foreach (var tag in (string[])["v1", "v2"])
        {
            Succeeded(await Command.RunAsync(
                Path.Combine(Command.Repository, "scripts", "sample-image"),
                [Image(tag), $"hello from {tag}"]));
        }

        Succeeded(await Command.RunAsync(Path.Combine(Command.Repository, "scripts", "sample-image"), [Image("shell")]));
        Succeeded(await Command.RunAsync(
            Path.Combine(Command.Bin, "mcp-agent"),
            ["init", "--state", State, "--listen", Address, "--name", "test"]));
        var toml = Path.Combine(State, "agent.toml");
        var podman = Succeeded(await Command.RunAsync(Path.Combine(Command.Repository, "scripts", "podman-here"), [_directory]));
        await File.WriteAllTextAsync(
            toml,
            WithStandIn(await File.ReadAllTextAsync(toml))
                .Replace("127.0.0.1:8080", $"127.0.0.1:{ProxyPort}", StringComparison.Ordinal)
                .Replace("127.0.0.1:8443", $"127.0.0.1:{ProxyTlsPort}", StringComparison.Ordinal)
                .Replace("\"/srv\"", $"\"{_directory}/srv\"", StringComparison.Ordinal)
                + podman
                + "pull_limit = \"5s\"\n");
        StartAgent();
        await UntilAsync(
            async () => (await Command.RunAsync(
                Path.Combine(Command.Bin, "mcp"),
                ["login", "--direct", Address, "--ca", Path.Combine(State, "ca.crt"), "--token-file", Path.Combine(State, "admin.token")],
                _environment)).ExitCode == 0,
            "the agent takes a login");
    }

    /// <summary>An agent.toml of any version, with the stand-in for ops, and guests without KVM.</summary>
    public static string WithStandIn(string toml) => System.Text.RegularExpressions.Regex.Replace(
        toml,
        "^# ops = .*$",
        $"ops = \"{Command.Repository}/tests/ops-stand-in/ops\"\naccel = \"tcg\"",
        System.Text.RegularExpressions.RegexOptions.Multiline);

    public void StartAgent()
    {
        var registries = Path.Combine(_directory, "registries.conf");
        File.WriteAllText(registries, $"[[registry]]\nlocation = \"0.0.0.0:{StrangePort}\"\ninsecure = true\n");
        Agent = Command.Start(
            Path.Combine(Command.Bin, "mcp-agent"),
            ["run", "--config", Path.Combine(State, "agent.toml")],
            new Dictionary<string, string> { ["CONTAINERS_REGISTRIES_CONF"] = registries });
        Swallow(Agent);
    }

    public async Task KillAgentAsync()
    {
        Agent!.Kill();
        // Not WaitForExitAsync: that waits for the pipes too, and the proxy, which lives on, has inherited them.
        while (!Agent.HasExited)
            await Task.Delay(5);
    }

    public Task<(int ExitCode, string Output, string Error)> McpAsync(params string[] arguments) =>
        Command.RunAsync(Path.Combine(Command.Bin, "mcp"), arguments, _environment);

    public Task<(int ExitCode, string Output, string Error)> McpAsync(
        string[] arguments,
        IReadOnlyDictionary<string, string> environment) =>
        Command.RunAsync(Path.Combine(Command.Bin, "mcp"), arguments, _environment.Concat(environment).ToDictionary());

    /// <summary>It hears ^C, also where these tests run in the background of a shell, which has its programs ignore it.</summary>
    public Process StartMcp(params string[] arguments) =>
        Command.Start("env", ["--default-signal=INT", Path.Combine(Command.Bin, "mcp"), .. arguments], _environment);

    public Task<(int ExitCode, string Output, string Error)> PodmanAsync(params string[] arguments) =>
        Command.RunAsync(
            "podman",
            ["--root", $"{_directory}/podman", "--runroot", $"{_directory}/podman-run", .. arguments],
            new Dictionary<string, string> { ["CONTAINERS_CONF"] = $"{_directory}/containers.conf" });

    public string WriteService(string name, string tag, string health = "/", string extra = "")
    {
        return Write(name, $$"""
            name = "{{name}}"
            [[components]]
            name = "web"
            image = "{{Image(tag)}}"
            health = { http = "{{health}}", interval = "100ms", retries = 20 }
            {{extra}}
            [[components.routes]]
            name = "http"
            port = 8080
            hostname = "{{name}}.example.com"
            """);
    }

    /// <summary>Its components are not watched after the switch unless the text says so: that would cost each deploy seconds.</summary>
    public string Write(string name, string text)
    {
        var file = Path.Combine(_directory, $"{name}-{Guid.NewGuid():N}.toml");
        File.WriteAllText(file, Unwatched(text));
        return file;
    }

    public static string Unwatched(string text) => text.Contains("watch = ", StringComparison.Ordinal)
        ? text
        : text.Replace("[[components]]", "[[components]]\nwatch = \"0s\"", StringComparison.Ordinal);

    public async Task<string> GetAsync(string name)
    {
        var (status, body) = await AnswerAsync(name);
        return status is >= 200 and < 300 ? body.Trim() : $"HTTP {status}";
    }

    /// <summary>What the node proxy answers for NAME.example.com.</summary>
    public async Task<(int Status, string Body)> AnswerAsync(string name)
    {
        using var http = new HttpClient { Timeout = TimeSpan.FromSeconds(5) };
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri($"http://127.0.0.1:{ProxyPort}/"));
        request.Headers.Host = $"{name}.example.com";
        using var response = await http.SendAsync(request);
        return ((int)response.StatusCode, await response.Content.ReadAsStringAsync());
    }

    public async Task<string[]> ContainersAsync(string service) =>
        (await PodmanAsync("ps", "-a", "--filter", $"label=mcp.service={service}", "--format", "{{.Names}}")).Output.Split(
            '\n',
            StringSplitOptions.RemoveEmptyEntries);

    public static string Succeeded((int ExitCode, string Output, string Error) result)
    {
        Assert.True(result.ExitCode == 0, $"exit code {result.ExitCode}\n{result.Output}\n{result.Error}");
        return result.Output;
    }

    /// <param name="explain">What to show when it does not come true.</param>
    public static async Task UntilAsync(Func<Task<bool>> condition, string what, Func<Task<string>>? explain = null)
    {
        var clock = Stopwatch.StartNew();
        while (true)
        {
            try
            {
                if (await condition())
                    return;
            }
            catch (Exception e) when (e is HttpRequestException or TaskCanceledException or SocketException)
            {
                // Not yet.
            }

            if (clock.Elapsed > TimeSpan.FromSeconds(60))
                Assert.Fail($"not within 60 s: {what}\n{(explain is null ? "" : await explain())}");
            await Task.Delay(50);
        }
    }

    public async ValueTask DisposeAsync()
    {
        // First: it would make its containers anew.
        if (Agent is { HasExited: false })
            await KillAgentAsync();
        foreach (var name in (await PodmanAsync("ps", "-aq")).Output.Split('\n', StringSplitOptions.RemoveEmptyEntries))
            await PodmanAsync("rm", "-f", "-t", "0", name);
        foreach (var pid in (await Command.RunAsync("pgrep", ["-f", _directory])).Output.Split('\n', StringSplitOptions.RemoveEmptyEntries))
            await Command.RunAsync("kill", ["-9", pid]);
        _registry?.Kill();
        await Command.RunAsync("umount", ["-l", $"{_directory}/podman/overlay"]);
        await Command.RunAsync("rm", ["-rf", _directory]);
        _registry?.Dispose();
        Agent?.Dispose();
    }

    public int ProxyProcess => int.Parse(File.ReadAllText(Path.Combine(State, "proxy.pid")), CultureInfo.InvariantCulture);

    public static void Swallow(Process process)
    {
        process.OutputDataReceived += (_, _) => { };
        process.ErrorDataReceived += (_, _) => { };
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
    }

    /// <summary>Given to nobody else in this run, and outside the range from which the kernel takes the ports of connections: one of those
    /// would take it before the program that it is for.</summary>
    public static int FreePort()
    {
        while (true)
        {
            var port = FirstPort + (Interlocked.Increment(ref s_ports) % PortCount);
            using var listener = new TcpListener(IPAddress.Loopback, port);
            try
            {
                listener.Start();
                return port;
            }
            catch (SocketException)
            {
                // Somebody has it.
            }
        }
    }
}
