using Mcp.IntegrationTests.Hosts;

namespace Mcp.IntegrationTests.Agent;

/// <summary>An agent killed -9 in the middle of what it does with VMs.</summary>
public sealed class VmKillTests(NodeFixture node) : IAsyncLifetime
{
    private const int Points = 50;
    private const string Service = "toughvm";

    private SpareAgent _agent = null!;

    private string Directories => Path.Combine(_agent.State, "vms", "microvm");

    public async ValueTask InitializeAsync()
    {
        _agent = await SpareAgent.CreateAsync();
        await _agent.StartAsync();
    }

    public ValueTask DisposeAsync() => _agent.DisposeAsync();

    [Fact]
    public async Task At_random_points_of_run_stop_and_remove_no_VM_is_lost_doubled_or_orphaned()
    {
        NodeFixture.Succeeded(await _agent.McpAsync("deploy", Written("a")));
        for (var i = 0; i < Points; i++)
        {
            string[] operation = (i % 5) switch
            {
                0 =>
                ["deploy", Written($"b{i}")],
                1 =>
                    ["restart", Service],
                2 => ["stop", Service],
                3 => ["start", Service],
                _ => ["undeploy", Service]
            };
            using var running = _agent.StartMcp(operation);
            await Task.Delay(Random.Shared.Next(20, 900));
            await _agent.KillAsync();
            await _agent.StartAsync();
            await running.WaitForExitAsync();
            await NodeFixture.UntilAsync(SettledAsync, $"all is well again after {operation[0]}", ExplainAsync);
            if (operation[0] == "undeploy")
                NodeFixture.Succeeded(await _agent.McpAsync("deploy", Written($"c{i}")));
        }

        NodeFixture.Succeeded(await _agent.McpAsync("undeploy", Service));
        Assert.Empty(Directory.GetFileSystemEntries(Directories));
        Assert.Equal(0, await VmsAsync());
    }

    // One VM where it should run, none where it is stopped or gone; and nothing beside it.
    private async Task<bool> SettledAsync()
    {
        var (exitCode, output, error) = await _agent.McpAsync("status", Service);
        var (vms, directories) = (await VmsAsync(), Directory.GetDirectories(Directories).Length);
        if (output.Contains("drift", StringComparison.Ordinal))
            return false;
        if (exitCode != 0 || !output.Contains(Service, StringComparison.Ordinal))
            return (error + output).Contains(Service, StringComparison.Ordinal) && vms == 0 && directories == 0;
        var columns = output.Split('\n')[1].Split(' ', StringSplitOptions.RemoveEmptyEntries);
        var (observed, desired) = (columns[2], columns[3]);
        return desired == "running"
            ? observed == "running" && vms == 1 && directories == 1
            : observed != "running" && vms == 0 && directories <= 1;
    }

    private async Task<string> ExplainAsync() => (await _agent.McpAsync("status", Service)).ToString() + (await _agent.McpAsync(
        "events",
        "--tail",
        "20")).Output
        + string.Join(
            '\n',
            Directory.GetFileSystemEntries(Directories)) + (await Command.RunAsync("pgrep", ["-af", $"guest={Service}"])).Output;

    private static async Task<int> VmsAsync() =>
        (await Command.RunAsync("pgrep", ["-f", $"^[^ ]*qemu-system.* guest={Service}"])).Output.Split(
            '\n',
            StringSplitOptions.RemoveEmptyEntries).Length;

    private string Written(string word) => node.Write(Service, $$"""
        name = "{{Service}}"
        [[components]]
        name = "web"
        runtime = "microvm"
        image = "{{node.Image("shell")}}"
        cmd = ["-c", "trap 'exit 0' TERM; while :; do busybox sleep 1; done"]
        memory_mb = 64
        env = { WORD = "{{word}}" }
        """);
}
