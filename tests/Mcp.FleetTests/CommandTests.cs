using System.Diagnostics;
using Mcp.FleetTests.Hosts;

namespace Mcp.FleetTests;

/// <summary>Each command through the master: it finds the node by itself.</summary>
[Collection("fleet")]
public class CommandTests(Fleet fleet)
{
    [Fact]
    public async Task A_service_is_stopped_started_restarted_and_looked_at_wherever_it_is()
    {
        await fleet.McpOkAsync("deploy", fleet.Write("near"), "--node", "beech");
        Assert.Contains("near.web.1", await fleet.McpOkAsync("stop", "near"), StringComparison.Ordinal);
        Assert.Equal("exited", (await fleet.StatusAsync()).Single(c => c.Service == "near").Observed);
        await fleet.McpOkAsync("start", "near/web");
        Assert.Equal("hello from v1", await fleet.GetAsync("beech", "near"));
        await fleet.McpOkAsync("restart", "near");
        Assert.Equal("running", (await fleet.StatusAsync()).Single(c => c.Service == "near").Observed);
        Assert.Contains("image = \"", await fleet.McpOkAsync("service", "show", "near"), StringComparison.Ordinal);
        Assert.Contains("beech  near", await fleet.McpOkAsync("list"), StringComparison.Ordinal);
        Assert.Contains("beech", await fleet.McpOkAsync("node", "show", "beech"), StringComparison.Ordinal);
        var (exitCode, _, error) = await fleet.McpAsync("stop", "nowhere");
        Assert.Equal(1, exitCode);
        Assert.Contains("there is no service nowhere in this fleet", error, StringComparison.Ordinal);
        await fleet.McpOkAsync("undeploy", "near");
    }

    [Fact]
    public async Task Files_are_pushed_to_the_services_node_and_pulled_from_it()
    {
        await fleet.McpOkAsync("deploy", fleet.Write("filed"), "--node", "beech");
        var file = fleet.NewFile(new string('x', 300_000));
        await fleet.McpOkAsync("push", "filed", file, "conf/a.txt");
        Assert.Equal(300_000, new FileInfo(Path.Combine(fleet.Root, "beech", "srv", "filed", "conf", "a.txt")).Length);
        var back = file + ".back";
        await fleet.McpOkAsync("pull", "filed", "conf/a.txt", back);
        Assert.Equal(await File.ReadAllTextAsync(file), await File.ReadAllTextAsync(back));
        var (exitCode, _, error) = await fleet.McpAsync("push", "filed", file, "../../etc/passwd");
        Assert.Equal(2, exitCode);
        Assert.Contains("lies outside of the service's directory", error, StringComparison.Ordinal);
        Assert.Equal(1, (await fleet.McpAsync("pull", "filed", "conf/none", back + "2")).ExitCode);
        await fleet.McpOkAsync("undeploy", "filed");
    }

    [Fact]
    public async Task Drift_is_seen_and_mended_and_strangers_are_purged_on_all_nodes()
    {
        await fleet.McpOkAsync("deploy", fleet.Write("drifts"), "--node", "beech");
        await fleet.KillAgentAsync("beech");
        await fleet.PodmanAsync("beech", "rm", "-f", "-t", "0", "drifts.web.1");
        fleet.StartAgent("beech");
        await Fleet.UntilAsync(
            async () => (await fleet.NodesAsync()).Contains(("beech", "reachable")) && (await fleet.McpAsync("sync")) is { ExitCode: 0 },
            "beech is mended");
        await Fleet.UntilAsync(async () => await fleet.GetAsync("beech", "drifts") == "hello from v1", "it serves again");
        await fleet.PodmanAsync(
            "beech",
            "run",
            "-d",
            "--label",
            "mcp.service=ghost",
            "--label",
            "mcp.component=web",
            "--label",
            "mcp.generation=1",
            "--label",
            "mcp.spec=x",
            "--name",
            "ghost.web.1",
            Fleet.Image("v1"));
        Assert.Contains("beech: ", await fleet.McpOkAsync("purge", "--dry-run"), StringComparison.Ordinal);
        Assert.Single(await fleet.ContainersAsync("beech", "ghost"));
        await fleet.McpOkAsync("purge");
        Assert.Empty(await fleet.ContainersAsync("beech", "ghost"));
        await fleet.McpOkAsync("undeploy", "drifts");
    }

    [Fact]
    public async Task Logs_events_and_the_status_are_followed_through_the_master()
    {
        using var watch = fleet.StartMcp("watch", "--interval", "500ms");
        using var events = fleet.StartMcp("events", "-f", "-n", "1");
        var (seen, told) = (Collect(watch), Collect(events));
        await fleet.McpOkAsync("deploy", fleet.Write("seen"), "--node", "beech");
        using var logs = fleet.StartMcp("logs", "-f", "seen");
        var lines = Collect(logs);
        await Fleet.UntilAsync(
            () => Task.FromResult(lines().Contains("listening on 8080", StringComparison.Ordinal)),
            "the log is followed");
        await Fleet.UntilAsync(
            () => Task.FromResult(seen().Contains("beech seen/web: running, generation 1", StringComparison.Ordinal)),
            "watch tells it",
            () => Task.FromResult(seen()));
        // The agent's own event, and the master's.
        await Fleet.UntilAsync(
            () => Task.FromResult(
                told().Contains("beech: deploy.done", StringComparison.Ordinal)
                    && told().Contains("  deploy.done", StringComparison.Ordinal)),
            "both events are told",
            () => Task.FromResult(told()));
        await fleet.McpOkAsync("deploy", fleet.Write("seen"), "--node", "cedar");
        await Fleet.UntilAsync(
            () => Task.FromResult(lines().Split("listening on 8080").Length > 2),
            "the log is followed to the next node",
            () => Task.FromResult(lines()));
        await fleet.McpOkAsync("undeploy", "seen");
        await Fleet.UntilAsync(
            () => Task.FromResult(logs.HasExited),
            "the log ends with the service");
        Assert.Contains("listening on 8080", await fleet.McpOkAsync("logs", "seen", "--previous"), StringComparison.Ordinal);
        await Fleet.UntilAsync(
            () => Task.FromResult(seen().Contains("beech seen/web: gone", StringComparison.Ordinal)),
            "watch tells that it is gone",
            () => Task.FromResult(seen()));
        Assert.Contains("beech: deploy.done", await fleet.McpOkAsync("events"), StringComparison.Ordinal);
        foreach (var process in (Process[])[watch, events])
            process.Kill();
    }

    [Fact]
    public async Task An_agent_that_was_alone_joins_and_its_services_are_adopted()
    {
        const string Listen = "100.64.7.2:7450";
        var state = Path.Combine(fleet.Root, "fig", "state");
        var agent = Path.Combine(Command.Bin, "mcp-agent");
        await fleet.InAsync("beech", agent, "init", "--state", state, "--listen", Listen, "--name", "fig");
        var toml = Path.Combine(state, "agent.toml");
        await File.WriteAllTextAsync(toml, (await File.ReadAllTextAsync(toml))
            .Replace("127.0.0.1:8080", "127.0.0.1:8180", StringComparison.Ordinal)
            .Replace("127.0.0.1:8443", "127.0.0.1:8543", StringComparison.Ordinal)
            .Replace("20000-29999", "30000-30999", StringComparison.Ordinal)
            + (await Command.RunAsync(
                Path.Combine(Command.Repository, "scripts", "podman-here"),
                [Path.Combine(fleet.Root, "fig")])).Output);
        var alone = fleet.StartIn("beech", agent, ["run", "--config", toml]);
        await Fleet.UntilAsync(
            async () => (await fleet.McpOfAsync(
                "fig-home",
                "login",
                "--direct",
                Listen,
                "--ca",
                Path.Combine(state, "ca.crt"),
                "--token-file",
                Path.Combine(state, "admin.token"))).ExitCode == 0,
            "fig takes a login");
        Assert.Equal(0, (await fleet.McpOfAsync("fig-home", "deploy", fleet.Write("alone"))).ExitCode);
        await StopAsync(alone);

        var joined = await fleet.JoinAsync("beech", fleet.NewFile(await fleet.McpOkAsync("node", "join-token")), state);
        Assert.True(joined.ExitCode == 0, joined.Error);
        var member = fleet.StartIn("beech", agent, ["run", "--config", toml]);
        await Fleet.UntilAsync(async () => (await fleet.NodesAsync()).Contains(("fig", "reachable")), "fig is a node");
        Assert.Contains("placed alone on fig", await fleet.McpOkAsync("adopt"), StringComparison.Ordinal);
        Assert.Equal("fig", (await fleet.StatusAsync()).Single(c => c.Service == "alone").Node);
        Assert.Contains(
            "alone.example.com belongs to the service alone",
            (await fleet.McpAsync("deploy", fleet.Write("thief", hostname: "alone.example.com"))).Error,
            StringComparison.Ordinal);

        // Its tokens do not count there any more, and it is not let go of unseen.
        Assert.Equal(
            4,
            (await fleet.McpOfAsync(
                "fig-home",
                "login",
                "--direct",
                Listen,
                "--ca",
                Path.Combine(fleet.MasterState, "ca.crt"),
                "--token-file",
                Path.Combine(state, "admin.token"))).ExitCode);
        Assert.Contains("fig has alone", (await fleet.McpAsync("node", "remove", "fig")).Error, StringComparison.Ordinal);
        Assert.Contains("forgot alone", await fleet.McpOkAsync("node", "remove", "fig", "--force"), StringComparison.Ordinal);
        Assert.DoesNotContain(await fleet.StatusAsync(), c => c.Service == "alone");
        await StopAsync(member);
        await fleet.PodmanAsync("fig", "rm", "-f", "-t", "0", "alone.web.1");
    }

    private static async Task StopAsync(Process process)
    {
        await Command.RunAsync("kill", ["-TERM", $"{process.Id}"]);
        while (!process.HasExited)
            await Task.Delay(20);
        Assert.Equal(0, process.ExitCode);
        process.Dispose();
    }

    private static Func<string> Collect(Process process)
    {
        var text = new System.Text.StringBuilder();
        process.OutputDataReceived += (_, line) =>
        {
            lock (text)
                text.Append(line.Data).Append('\n');
        };
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        return () =>
        {
            lock (text)
                return text.ToString();
        };
    }
}
