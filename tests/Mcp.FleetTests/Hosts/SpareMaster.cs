using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace Mcp.FleetTests.Hosts;

/// <summary>One more master on loopback, on a state directory that a test can break, with agents that have no services.</summary>
internal sealed class SpareMaster : IAsyncDisposable
{
    private readonly string _directory;
    private readonly List<Process> _processes = [];
    private Process? _master;

    private SpareMaster(string directory) => _directory = directory;

    public string Root => _directory;

    public string State => Path.Combine(_directory, "master");

    public string Config => Path.Combine(State, "master.toml");

    public string Address { get; private set; } = "";

    /// <param name="edit">What to change in master.toml, from and to.</param>
    /// <param name="directory">Where; null: a directory of its own.</param>
    public static async Task<SpareMaster> CreateAsync(string? directory = null, params (string From, string To)[] edit)
    {
        var master = new SpareMaster(
            directory ?? Directory.CreateTempSubdirectory("mcp-spare-master").FullName)
        { Address = $"127.0.0.1:{FreePort()}" };
        var (exitCode, _, error) = await Command.RunAsync(
            Path.Combine(Command.Bin, "mcp-master"),
            ["init", "--state", master.State, "--listen", master.Address, "--name", "main"]);
        Assert.True(exitCode == 0, error);
        var text = await File.ReadAllTextAsync(master.Config);
        // Other masters of this machine have port 53.
        foreach (var (from, to) in edit.Append(("127.0.0.1:53\"", $"127.0.0.1:{FreePort()}\"")))
        {
            Assert.Contains(from, text, StringComparison.Ordinal);
            text = text.Replace(from, to, StringComparison.Ordinal);
        }

        await File.WriteAllTextAsync(master.Config, text);
        return master;
    }

    public async Task StartAsync()
    {
        _master = Start("mcp-master", "run", "--config", Config);
        await Fleet.UntilAsync(
            async () => (await McpAsync(
                "login",
                "--master",
                Address,
                "--ca",
                Path.Combine(State, "ca.crt"),
                "--token-file",
                Path.Combine(State, "admin.token"))).ExitCode == 0,
            "the spare master takes a login");
    }

    /// <summary>To its end, for a master that is not to start.</summary>
    public Task<(int ExitCode, string Output, string Error)> RunAsync() =>
        Command.RunAsync(Path.Combine(Command.Bin, "mcp-master"), ["run", "--config", Config]);

    public async Task KillAsync()
    {
        _master!.Kill();
        await _master.WaitForExitAsync();
    }

    /// <summary>An agent that has joined and runs.</summary>
    /// <returns>Its state directory.</returns>
    public async Task<string> AgentAsync(string name)
    {
        var token = Path.Combine(_directory, $"{name}.token");
        await File.WriteAllTextAsync(token, (await McpAsync("node", "join-token")).Output);
        var state = Path.Combine(_directory, name);
        var joined = await Command.RunAsync(
            Path.Combine(Command.Bin, "mcp-agent"),
            ["join", "--state", state, "--master", Address, "--token-file", token, "--listen", $"127.0.0.1:{FreePort()}", "--name", name]);
        Assert.True(joined.ExitCode == 0, joined.Error);
        var toml = Path.Combine(state, "agent.toml");
        await File.WriteAllTextAsync(
            toml,
            (await File.ReadAllTextAsync(toml)).Replace("127.0.0.1:8080", $"127.0.0.1:{FreePort()}", StringComparison.Ordinal)
                .Replace("127.0.0.1:8443", $"127.0.0.1:{FreePort()}", StringComparison.Ordinal));
        Start("mcp-agent", "run", "--config", toml);
        return state;
    }

    public Task<(int ExitCode, string Output, string Error)> McpAsync(params string[] arguments) =>
        Command.RunAsync(
            Path.Combine(Command.Bin, "mcp"),
            arguments,
            new Dictionary<string, string> { ["MCP_HOME"] = Path.Combine(_directory, "home") });

    public async ValueTask DisposeAsync()
    {
        foreach (var process in _processes.Where(p => !p.HasExited))
            process.Kill();
        foreach (var pid in (await Command.RunAsync("pgrep", ["-f", _directory])).Output.Split('\n', StringSplitOptions.RemoveEmptyEntries))
            await Command.RunAsync("kill", ["-9", pid]);
        await Command.RunAsync("rm", ["-rf", _directory]);
        _processes.ForEach(p => p.Dispose());
    }

    private Process Start(string program, params string[] arguments)
    {
        var process = Command.Start(Path.Combine(Command.Bin, program), arguments);
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        _processes.Add(process);
        return process;
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
