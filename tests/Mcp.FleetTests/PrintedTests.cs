using Mcp.FleetTests.Hosts;
using Mcp.TestKit;

namespace Mcp.FleetTests;

/// <summary>What the commands for a fleet print, where they work and where they do not.</summary>
public sealed class PrintedTests
{
    [Fact]
    public async Task A_fleet_from_its_first_node_to_its_last()
    {
        await using var master = await SpareMaster.CreateAsync();
        await master.StartAsync();
        var transcript = new Transcript();
        var state = await master.AgentAsync("rift");
        await Fleet.UntilAsync(
            async () => (await master.McpAsync("node", "list")).Output.Contains(" reachable", StringComparison.Ordinal),
            "rift is a node");
        var lines = await File.ReadAllLinesAsync(Path.Combine(state, "agent.toml"));
        var address = lines.Single(line => line.StartsWith("listen", StringComparison.Ordinal));
        transcript = new Transcript((master.Root, "DIR"), (master.Address, "MASTER"), (address.Split('"')[1], "AGENT"));
        foreach (var command in (string[])[
            "whoami", "status", "node list", "list", "ps", "dns list", "edge list", "route list", "events -n 1",
            "node cordon rift", "node list", "node uncordon rift", "node drain rift", "node uncordon rift",
            "node cordon alder", "node remove alder", "node drain alder", "node show alder", "node show rft",
            "node join-token --role king", "node join-token --life 8h2", "node join-token --life 200h",
            "deploy missing.toml", "undeploy nothing", "status nothing", "ps nothing", "logs nothing", "adopt nothing", "stop nothing",
            "node remove rift", "node list"])
        {
            await SayAsync(command.Split(' '));
        }

        Repository.Expect("tests/Mcp.FleetTests/Expectations/fleet.txt", transcript.ToString());

        async Task SayAsync(params string[] arguments)
        {
            var (exitCode, output, error) = await master.McpAsync(arguments);
            transcript.Add($"mcp {string.Join(' ', arguments)}", exitCode, output + error);
        }
    }
}
