using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using Mcp.IntegrationTests.Hosts;

namespace Mcp.IntegrationTests.Agent;

/// <summary>Real databases under a stream of writes while they are deployed again and again: what a client was told is written is
/// there.</summary>
public sealed class DataTests(NodeFixture node) : IAsyncLifetime
{
    private static readonly bool s_long = Environment.GetEnvironmentVariable("MCP_LONG") is not null;
    private static readonly int s_deploys = s_long ? 20 : 3;
    private static readonly int s_failing = s_long ? 5 : 1;
    private static readonly int s_killed = s_long ? 5 : 1;
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(5);
    private readonly ConcurrentQueue<string> _acknowledged = new();
    private readonly int _port = NodeFixture.FreePort();
    private SpareAgent _agent = null!;
    private string _volume = "";

    public async ValueTask InitializeAsync()
    {
        _agent = await SpareAgent.CreateAsync();
        _volume = Path.Combine(_agent.Root, "data");
        Directory.CreateDirectory(_volume);
        NodeFixture.Succeeded(await Command.RunAsync("chown", ["999:999", _volume]));
        await _agent.StartAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _agent.McpAsync("undeploy", "data");
        await _agent.DisposeAsync();
    }

    [Fact]
    public async Task Every_row_that_postgresql_acknowledged_is_there_after_deploys_failures_and_kills()
    {
        NodeFixture.Succeeded(await Command.RunAsync(
            Path.Combine(Command.Repository, "scripts", "app-image"),
            ["postgres", node.Image("postgres")]));
        await DeployAsync("postgres", "pg_isready -h /tmp", 0);
        NodeFixture.Succeeded(await Command.RunAsync("psql", [.. Psql, "-c", "CREATE TABLE t (n bigint)"]));
        await HammerAsync(
            "postgres",
            "pg_isready -h /tmp",
            () => Command.Start("psql", [.. Psql, "-f", "-"]),
            n => $"INSERT INTO t VALUES ({n}) RETURNING n;");
        var rows = NodeFixture.Succeeded(await Command.RunAsync("psql", [.. Psql, "-c", "SELECT n FROM t"]))
            .Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .ToHashSet();
        Assert.Equal([], _acknowledged.Except(rows));
    }

    [Fact]
    public async Task Every_value_that_redis_acknowledged_is_there_after_deploys_failures_and_kills()
    {
        NodeFixture.Succeeded(await Command.RunAsync(
            Path.Combine(Command.Repository, "scripts", "app-image"),
            ["redis", node.Image("redis")]));
        await DeployAsync("redis", "redis-cli ping", 0);
        string[] cli = ["-p", $"{_port}"];
        // The server says what it has set.
        await HammerAsync(
            "redis",
            "redis-cli ping",
            () => Command.Start("redis-cli", cli),
            n => $"EVAL \"redis.call('SET', KEYS[1], 1) return KEYS[1]\" 1 {n}");
        var keys = NodeFixture.Succeeded(await Command.RunAsync("redis-cli", [.. cli, "KEYS", "*"]))
            .Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .ToHashSet();
        Assert.Equal([], _acknowledged.Except(keys));
    }

    private string[] Psql =>
        ["-h", "127.0.0.1", "-p", $"{_port}", "-U", "app", "-d", "postgres", "-X", "-q", "-t", "-A", "-v", "ON_ERROR_STOP=1"];

    private async Task HammerAsync(string image, string check, Func<Process> client, Func<long, string> statement)
    {
        using var over = new CancellationTokenSource();
        var writing = WriteAsync(client, statement, over.Token);
        // Nothing changed: nothing is touched.
        await GrowsAsync("before the first deploy");
        Assert.Contains("nothing changed", await DeployAsync(image, check, 0), StringComparison.Ordinal);
        for (var i = 1; i <= s_deploys; i++)
        {
            await DeployAsync(image, check, i);
            await GrowsAsync($"after deploy {i}");
        }

        for (var i = 1; i <= s_failing; i++)
        {
            var (exitCode, _, error) = await _agent.McpAsync("deploy", Definition(image, "false", 1000 + i));
            Assert.Equal(1, exitCode);
            Assert.Matches(@"data\.db\.\d+ was stopped at .* and started again at .*; it is well", error);
            await GrowsAsync($"after failed deploy {i}");
        }

        for (var i = 1; i <= s_killed; i++)
        {
            using var deploy = _agent.StartMcp("deploy", Definition(image, check, 2000 + i));
            await Task.Delay(Random.Shared.Next(20, 2500));
            await _agent.KillAsync();
            await _agent.StartAsync();
            await deploy.WaitForExitAsync();
            await GrowsAsync($"after kill {i}");
        }

        await over.CancelAsync();
        await writing;
        Assert.NotEmpty(_acknowledged);
    }

    // One statement after the other, each acknowledged by the line that comes back; a client whose server went away connects anew.
    private async Task WriteAsync(Func<Process> client, Func<long, string> statement, CancellationToken ct)
    {
        for (long n = 1; !ct.IsCancellationRequested;)
        {
            using var session = client();
            try
            {
                while (!ct.IsCancellationRequested)
                {
                    n++;
                    await session.StandardInput.WriteLineAsync(statement(n));
                    await session.StandardInput.FlushAsync(ct);
                    if (await session.StandardOutput.ReadLineAsync(ct).AsTask().WaitAsync(s_patience, ct) is not { } answer
                        || answer != n.ToString(CultureInfo.InvariantCulture))
                    {
                        break;
                    }

                    _acknowledged.Enqueue(answer);
                }
            }
            catch (Exception e) when (e is IOException or OperationCanceledException or TimeoutException)
            {
                // The server stopped under it.
            }

            session.Kill();
            await session.WaitForExitAsync(CancellationToken.None);
        }
    }

    private async Task GrowsAsync(string when)
    {
        var before = _acknowledged.Count;
        await NodeFixture.UntilAsync(
            () => Task.FromResult(_acknowledged.Count > before + 20),
            $"writes go on {when}",
            async () => (await _agent.McpAsync("status")).Output + (await _agent.McpAsync("logs", "data")).Output);
    }

    private async Task<string> DeployAsync(string image, string check, int version) =>
        NodeFixture.Succeeded(await _agent.McpAsync("deploy", Definition(image, check, version)));

    private string Definition(string image, string check, int version)
    {
        var file = Path.Combine(_agent.Root, $"{version}.toml");
        File.WriteAllText(file, $$"""
            name = "data"
            [[components]]
            name = "db"
            image = "{{node.Image(image)}}"
            {{(image == "redis" ? "cmd = [\"--appendonly\", \"yes\"]" : "")}}
            env = { VERSION = "{{version}}" }
            volumes = ["{{_volume}}:/data"]
            ports = ["127.0.0.1:{{_port}}:{{(image == "redis" ? 6379 : 5432)}}"]
            health = { exec = [{{string.Join(", ", check.Split(' ').Select(c => $"\"{c}\""))}}], interval = "200ms", timeout = "2s", retries = {{(check == "false" ? 3 : 100)}} }
            """);
        return file;
    }
}
