using System.Diagnostics;
using System.Text;
using Mcp.IntegrationTests.Hosts;

namespace Mcp.IntegrationTests.Agent;

/// <summary>A deploy belongs to the node, whatever becomes of the terminal that began it.</summary>
[Collection("node")]
public sealed class UnderwayTests(NodeFixture node)
{
    [Fact]
    public async Task After_an_interrupt_it_is_followed_waited_for_and_taken_back()
    {
        NodeFixture.Succeeded(await node.McpAsync("deploy", File(1)));
        var before = await node.ContainersAsync("under");
        using var deploy = new Running(node.StartMcp("deploy", File(2, "busybox sleep 600;")));
        await UntilAtStepAsync("health");
        await InterruptAsync(deploy);
        Assert.Equal(130, await deploy.EndAsync());
        Assert.Contains("the deploy of under is no longer watched; it goes on by itself", deploy.Error, StringComparison.Ordinal);
        Assert.Contains("mcp deploy --attach under follows it; mcp cancel under takes it back", deploy.Error, StringComparison.Ordinal);

        using var attached = new Running(node.StartMcp("deploy", "--attach", "under"));
        using var restart = new Running(node.StartMcp("restart", "under"));
        using var next = new Running(node.StartMcp("deploy", File(3)));
        await restart.SaysAsync("mcp: waits for the deploy by admin, at step health since");
        // In a pipe: a line each 10 s.
        await next.SaysAsync("...     wait");
        await InterruptAsync(next);
        Assert.Equal(130, await next.EndAsync());
        Assert.Contains("the deploy of under had not begun and was cancelled", next.Error, StringComparison.Ordinal);
        await InterruptAsync(restart);
        await restart.EndAsync();

        var told = NodeFixture.Succeeded(await node.McpAsync("cancel", "under"));
        Assert.StartsWith($"cancelled the deploy of under by admin; {before[0]} was not touched", told, StringComparison.Ordinal);
        Assert.Equal(1, await attached.EndAsync());
        Assert.Contains("  ok      pull", attached.Output, StringComparison.Ordinal);
        Assert.Contains("  failed  health", attached.Output, StringComparison.Ordinal);
        Assert.Contains("cancelled by admin", attached.Error, StringComparison.Ordinal);
        Assert.Equal("version 1", await node.GetAsync("under"));
        Assert.Equal(before, await node.ContainersAsync("under"));
        var (exitCode, _, error) = await node.McpAsync("cancel", "under");
        Assert.Equal(1, exitCode);
        Assert.Contains("nothing is being done with under just now", error, StringComparison.Ordinal);
        NodeFixture.Succeeded(await node.McpAsync("undeploy", "under"));
    }

    [Fact]
    public async Task Detached_it_returns_when_it_serves_and_is_watched_all_the_same()
    {
        var clock = Stopwatch.StartNew();
        var told = NodeFixture.Succeeded(await node.McpAsync("deploy", "--detach", File(1, watch: "20s")));
        Assert.True(clock.Elapsed < TimeSpan.FromSeconds(15), $"{clock.Elapsed}");
        Assert.EndsWith(
            "under serves; the node keeps watching it. To follow: mcp deploy --attach under",
            told.TrimEnd(),
            StringComparison.Ordinal);
        Assert.DoesNotContain("watch ", told, StringComparison.Ordinal);
        Assert.Equal("version 1", await node.GetAsync("under"));
        // And what ends then is taken back as ever.
        NodeFixture.Succeeded(await node.PodmanAsync("kill", Assert.Single(await node.ContainersAsync("under"))));
        using var attached = new Running(node.StartMcp("deploy", "--attach", "under"));
        await attached.EndAsync();
        await NodeFixture.UntilAsync(async () => (await node.ContainersAsync("under")).Length == 0, "it is taken back");
    }

    // Whoever began it is not there any more, and cannot be asked anything.
    [Fact]
    public async Task One_whose_caller_is_gone_ends_well_for_those_who_follow_it()
    {
        NodeFixture.Succeeded(await node.McpAsync("deploy", "--detach", File(4, watch: "3s")));
        var status = NodeFixture.Succeeded(await node.McpAsync("status", "under"));
        Assert.DoesNotContain("removed", status, StringComparison.Ordinal);
        var told = NodeFixture.Succeeded(await node.McpAsync("deploy", "--attach", "under"));
        Assert.Contains("  ok      retire", told, StringComparison.Ordinal);
        Assert.DoesNotContain("drift", NodeFixture.Succeeded(await node.McpAsync("status", "under")), StringComparison.Ordinal);
        NodeFixture.Succeeded(await node.McpAsync("undeploy", "under"));
    }

    [Fact]
    public async Task An_agent_that_was_killed_goes_on_with_it_and_is_followed_again()
    {
        NodeFixture.Succeeded(await node.McpAsync("deploy", File(1)));
        using var deploy = new Running(node.StartMcp("deploy", File(2, "busybox sleep 4;")));
        await UntilAtStepAsync("health");
        await node.KillAgentAsync();
        Assert.Equal(1, await deploy.EndAsync());
        Assert.Contains("the connection was lost; the deploy of under goes on by itself", deploy.Error, StringComparison.Ordinal);
        node.StartAgent();
        (int ExitCode, string Output, string Error) told = (1, "", "");
        await NodeFixture.UntilAsync(
            async () => (told = await node.McpAsync("deploy", "--attach", "under")).ExitCode == 0,
            "it is followed",
            () => Task.FromResult(told.Error));
        Assert.Contains("  ok      switch", told.Output, StringComparison.Ordinal);
        Assert.Contains("deployed under in", told.Output, StringComparison.Ordinal);
        Assert.Equal("version 2", await node.GetAsync("under"));
        NodeFixture.Succeeded(await node.McpAsync("undeploy", "under"));
    }

    private string File(int version, string first = "", string watch = "0s") => node.Write("under", $$"""
        name = "under"
        [[components]]
        name = "web"
        image = "{{node.Image("shell")}}"
        cmd = ["-c", "{{first}} echo version {{version}} > /www/index.html; exec busybox httpd -f -p 8080 -h /www"]
        watch = "{{watch}}"
        stop_grace = "1s"
        health = { http = "/", interval = "200ms", retries = 600 }
        [[components.routes]]
        name = "http"
        port = 8080
        hostname = "under.example.com"
        """);

    private Task UntilAtStepAsync(string step) => NodeFixture.UntilAsync(async () =>
    {
        using var looks = new Running(node.StartMcp("deploy", "--attach", "under"));
        try
        {
            await looks.SaysAsync("  ok      start", TimeSpan.FromSeconds(3));
            return true;
        }
        catch (TimeoutException)
        {
            return false;
        }
    }, $"it is at step {step}");

    private static async Task InterruptAsync(Running program) =>
        NodeFixture.Succeeded(await Command.RunAsync("kill", ["-INT", $"{program.Id}"]));

    // What it has said so far.
    private sealed class Running : IDisposable
    {
        private readonly Process _process;
        private readonly StringBuilder _output = new();
        private readonly StringBuilder _error = new();

        public Running(Process process)
        {
            _process = process;
            process.OutputDataReceived += (_, line) => Add(_output, line.Data);
            process.ErrorDataReceived += (_, line) => Add(_error, line.Data);
            process.BeginOutputReadLine();
            process.BeginErrorReadLine();
        }

        public int Id => _process.Id;

        public string Output => Text(_output);

        public string Error => Text(_error);

        public async Task SaysAsync(string text, TimeSpan? limit = null)
        {
            for (var clock = Stopwatch.StartNew(); !(Output + Error).Contains(text, StringComparison.Ordinal);)
            {
                if (clock.Elapsed > (limit ?? TimeSpan.FromSeconds(60)) || _process.HasExited)
                    throw new TimeoutException($"not said: {text}; but {Output}{Error}");
                await Task.Delay(50);
            }
        }

        public async Task<int> EndAsync()
        {
            await _process.WaitForExitAsync().WaitAsync(TimeSpan.FromMinutes(2));
            return _process.ExitCode;
        }

        public void Dispose()
        {
            if (!_process.HasExited)
                _process.Kill();
            _process.Dispose();
        }

        private static void Add(StringBuilder to, string? line)
        {
            lock (to)
                to.AppendLine(line);
        }

        private static string Text(StringBuilder of)
        {
            lock (of)
                return of.ToString();
        }
    }
}
