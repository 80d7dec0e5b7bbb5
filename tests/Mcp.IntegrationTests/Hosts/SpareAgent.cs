using System.Diagnostics;

namespace Mcp.IntegrationTests.Hosts;

/// <summary>One more agent, without services of its own, on a state directory that a test can break.</summary>
internal sealed class SpareAgent : IAsyncDisposable
{
    private readonly Dictionary<string, string> _environment;
    private Process? _agent;

    private SpareAgent(string directory)
    {
        Root = directory;
        State = Path.Combine(directory, "state");
        _environment = new() { ["MCP_HOME"] = Path.Combine(directory, "home") };
    }

    public string Root { get; }

    public string State { get; }

    public string Config => Path.Combine(State, "agent.toml");

    /// <summary>Set up, not started.</summary>
    /// <param name="bin">Where the programs are; null: those of today.</param>
    public static async Task<SpareAgent> CreateAsync(string? podman = null, string? directory = null, string? bin = null)
    {
        var agent = new SpareAgent(directory ?? Directory.CreateTempSubdirectory("mcp-spare").FullName) { Bin = bin ?? Command.Bin };
        agent.Address = $"127.0.0.1:{NodeFixture.FreePort()}";
        NodeFixture.Succeeded(await Command.RunAsync(
            Path.Combine(agent.Bin, "mcp-agent"),
            ["init", "--state", agent.State, "--listen", agent.Address, "--name", "spare"]));
        var toml = NodeFixture.WithStandIn(await File.ReadAllTextAsync(agent.Config))
            .Replace(
                "127.0.0.1:8080",
                $"127.0.0.1:{agent.ProxyPort}",
                StringComparison.Ordinal).Replace(
                "127.0.0.1:8443",
                $"127.0.0.1:{NodeFixture.FreePort()}",
                StringComparison.Ordinal);
        await File.WriteAllTextAsync(
            agent.Config,
            toml
                + (podman
                    ?? NodeFixture.Succeeded(await Command.RunAsync(
                        Path.Combine(Command.Repository, "scripts", "podman-here"),
                        [agent.Root]))));
        return agent;
    }

    public string Address { get; private set; } = "";

    public int ProxyPort { get; } = NodeFixture.FreePort();

    /// <summary>Another one is the same machine after an upgrade, or back.</summary>
    public string Bin { get; set; } = "";

    public async Task StartAsync(IReadOnlyDictionary<string, string>? environment = null)
    {
        _agent = Command.Start(Path.Combine(Bin, "mcp-agent"), ["run", "--config", Config], environment);
        NodeFixture.Swallow(_agent);
        await NodeFixture.UntilAsync(
            async () => (await McpAsync(
                "login",
                "--direct",
                Address,
                "--ca",
                Path.Combine(State, "ca.crt"),
                "--token-file",
                Path.Combine(State, "admin.token"))).ExitCode == 0,
            "the spare agent takes a login");
    }

    /// <summary>Starts it, and kills it -9 that much later.</summary>
    public async Task StartAndKillAsync(TimeSpan after)
    {
        _agent = Command.Start(Path.Combine(Bin, "mcp-agent"), ["run", "--config", Config]);
        NodeFixture.Swallow(_agent);
        await Task.Delay(after);
        await KillAsync();
    }

    public Task<(int ExitCode, string Output, string Error)> McpAsync(params string[] arguments) =>
        Command.RunAsync(Path.Combine(Bin, "mcp"), arguments, _environment);

    public Task<(int ExitCode, string Output, string Error)> PodmanAsync(params string[] arguments) => Command.RunAsync(
        "podman",
        ["--root", $"{Root}/podman", "--runroot", $"{Root}/podman-run", .. arguments],
        new Dictionary<string, string> { ["CONTAINERS_CONF"] = $"{Root}/containers.conf" });

    public async Task KillAsync()
    {
        _agent!.Kill();
        // Not WaitForExitAsync: that waits for the pipes too, and the proxy, which lives on, has inherited them.
        while (!_agent.HasExited)
            await Task.Delay(5);
        _agent.Dispose();
        _agent = null;
    }

    public Process StartMcp(params string[] arguments) =>
        Command.Start("env", ["--default-signal=INT", Path.Combine(Command.Bin, "mcp"), .. arguments], _environment);

    public async ValueTask DisposeAsync()
    {
        if (_agent is { HasExited: false })
            _agent.Kill();
        // Before its processes go: a container whose conmon was killed would run on.
        await PodmanAsync("rm", "-af", "-t", "0");
        foreach (var pid in (await Command.RunAsync("pgrep", ["-f", Root])).Output.Split('\n', StringSplitOptions.RemoveEmptyEntries))
            await Command.RunAsync("kill", ["-9", pid]);
        await Command.RunAsync("umount", ["-l", $"{Root}/podman/overlay"]);
        await Command.RunAsync("rm", ["-rf", Root]);
        _agent?.Dispose();
    }
}
