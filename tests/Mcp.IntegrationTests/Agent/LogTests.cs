using System.Diagnostics;
using System.Globalization;
using Mcp.IntegrationTests.Hosts;

namespace Mcp.IntegrationTests.Agent;

/// <summary>What `mcp logs` gives of containers, while things happen to them.</summary>
[Collection("node")]
public sealed class LogTests(NodeFixture node) : IAsyncLifetime
{
    private readonly string _name = $"tell{Guid.NewGuid().ToString("N")[..6]}";

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync() => await node.McpAsync("undeploy", _name);

    [Fact]
    public async Task Followed_over_restart_upgrade_and_undeploy_each_line_comes_once_and_the_last_ones_too()
    {
        await DeployAsync("one");
        using var follow = new Following(node.StartMcp("logs", "-f", _name));
        await follow.HasAsync("one 5");
        NodeFixture.Succeeded(await node.McpAsync("restart", _name));
        await follow.HasAsync("one 5", times: 2);
        await DeployAsync("two");
        await follow.HasAsync("two 5");
        NodeFixture.Succeeded(await node.McpAsync("undeploy", _name));
        var lines = await follow.EndedAsync();
        Assert.Equal(3, lines.Count(l => l.EndsWith("the last, without an end", StringComparison.Ordinal)));
        Assert.Equal(2, lines.Count(l => l.EndsWith(" one 5", StringComparison.Ordinal)));
        foreach (var word in (string[])["one", "two"])
            AssertRuns(lines.Select(l => l.Split(" | ")[1]).Where(l => l.StartsWith($"{word} ", StringComparison.Ordinal)), word);
    }

    [Fact]
    public async Task A_killed_agent_is_told_and_what_was_written_meanwhile_is_there()
    {
        await DeployAsync("one");
        using var follow = new Following(node.StartMcp("logs", "-f", _name));
        await follow.HasAsync("one 3");
        await node.KillAgentAsync();
        await follow.EndedAsync();
        Assert.NotEqual(0, follow.ExitCode);
        Assert.Contains("cannot be reached", await follow.ErrorAsync(), StringComparison.Ordinal);
        node.StartAgent();
        await NodeFixture.UntilAsync(
            async () => (await node.McpAsync("logs", _name)).Output.Contains("one 60", StringComparison.Ordinal),
            "it writes on");
        AssertRuns((await LinesAsync(_name + "/web")).Where(l => l.StartsWith("one ", StringComparison.Ordinal)), "one");
    }

    [Fact]
    public async Task Former_generations_and_failed_deploys_are_read_after_their_containers_are_gone()
    {
        await DeployAsync("one");
        await NodeFixture.UntilAsync(
            async () => (await LinesAsync(_name)).Any(l => l.EndsWith("one 5", StringComparison.Ordinal)),
            "it writes");
        await DeployAsync("two");
        var failed = await node.McpAsync("deploy", node.Write(_name, $"""
            name = "{_name}"
            [[components]]
            name = "web"
            image = "{node.Image("shell")}"
            restart = "no"
            watch = "2s"
            cmd = ["-c", "echo this one fails; exit 3"]
            """));
        Assert.NotEqual(0, failed.ExitCode);
        Assert.Equal(["this one fails"], await LinesAsync($"{_name}/web", "--previous"));
        Assert.Contains("the last, without an end", await LinesAsync($"{_name}/web", "-p", "2"));
        Assert.Contains("one 5", await LinesAsync($"{_name}/web", "-p", "2", "--grep", "one [0-9]$"));
        Assert.Equal(["one 5"], await LinesAsync($"{_name}/web", "-p", "2", "--grep", "one [0-5]$", "-n", "1"));
        Assert.Contains("two 0", await LinesAsync($"{_name}/web"));
        var (code, _, error) = await node.McpAsync("logs", _name, "--previous", "3");
        Assert.Equal(1, code);
        Assert.Contains("kept: web generation 3, web generation 1", error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Several_logs_at_once_are_in_order_of_time_and_cut_by_dates()
    {
        await DeployAsync("one");
        var other = $"{_name}b";
        try
        {
            await DeployAsync("other", other);
            var stamped = await LinesAsync(_name, $"{other}/web", "--timestamps");
            Assert.Equal(stamped.Select(Stamp).Order(StringComparer.Ordinal), stamped.Select(Stamp));
            Assert.Contains(stamped, l => l.Contains($" {_name}/web | one 0", StringComparison.Ordinal));
            Assert.Contains(stamped, l => l.Contains($" {other}/web | other 0", StringComparison.Ordinal));
            Assert.Contains(await LinesAsync("--all"), l => l.StartsWith($"{other}/web | ", StringComparison.Ordinal));
            var (code, output, error) = await node.McpAsync("logs", other, "nothing");
            Assert.Equal(1, code);
            Assert.Contains($"{other}/web | other 0", output, StringComparison.Ordinal);
            Assert.Contains("there is no service nothing", error, StringComparison.Ordinal);
            var at = Stamp(stamped.First(l => l.EndsWith("one 2", StringComparison.Ordinal)));
            Assert.DoesNotContain($"{_name}/web | one 0", await LinesAsync(_name, other, "--since", at));
            Assert.Contains($"{_name}/web | one 0", await LinesAsync(_name, other, "--since", "2026-01-01", "--until", at));
            Assert.DoesNotContain($"{_name}/web | one 4", await LinesAsync(_name, other, "--until", at));
        }
        finally
        {
            await node.McpAsync("undeploy", other);
        }
    }

    private static string Stamp(string line) => line.Split(' ')[0];

    // Each run counts from 0 without a gap.
    private static void AssertRuns(IEnumerable<string> lines, string word)
    {
        var expected = 0;
        foreach (var number in lines.Select(l => int.Parse(l[(word.Length + 1)..], CultureInfo.InvariantCulture)))
        {
            if (number == 0)
                expected = 0;
            Assert.Equal(expected++, number);
        }
    }

    private async Task<string[]> LinesAsync(params string[] arguments) =>
        NodeFixture.Succeeded(await node.McpAsync(["logs", .. arguments])).Split('\n', StringSplitOptions.RemoveEmptyEntries);

    private async Task DeployAsync(string word, string? name = null)
    {
        name ??= _name;
        NodeFixture.Succeeded(await node.McpAsync("deploy", node.Write(name, $$"""
            name = "{{name}}"
            [[components]]
            name = "web"
            image = "{{node.Image("shell")}}"
            cmd = ["-c", '''
            trap 'printf "the last, without an end"; exit 0' TERM
            i=0; while :; do echo {{word}} $i; i=$((i+1)); busybox sleep 0.05; done''']
            """)));
    }

    private sealed class Following : IDisposable
    {
        private readonly List<string> _lines = [];
        private readonly Process _process;
        private readonly Task _reading;
        private readonly Task<string> _error;

        public Following(Process process)
        {
            _process = process;
            _error = process.StandardError.ReadToEndAsync();
            _reading = Task.Run(async () =>
            {
                while (await process.StandardOutput.ReadLineAsync() is { } line)
                {
                    lock (_lines)
                        _lines.Add(line);
                }
            });
        }

        public int ExitCode => _process.ExitCode;

        public Task HasAsync(string end, int times = 1) => NodeFixture.UntilAsync(
            () => Task.FromResult(All().Count(l => l.EndsWith(end, StringComparison.Ordinal)) >= times),
            $"{end} is followed",
            () => Task.FromResult(string.Join('\n', All())));

        public async Task<List<string>> EndedAsync()
        {
            await _reading.WaitAsync(TimeSpan.FromSeconds(30));
            await _process.WaitForExitAsync();
            return All();
        }

        public Task<string> ErrorAsync() => _error;

        public void Dispose()
        {
            if (!_process.HasExited)
                _process.Kill();
            _process.Dispose();
        }

        private List<string> All()
        {
            lock (_lines)
                return [.. _lines];
        }
    }
}
