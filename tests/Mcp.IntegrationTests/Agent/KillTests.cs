using Mcp.IntegrationTests.Hosts;

namespace Mcp.IntegrationTests.Agent;

[Collection("node")]
public class KillTests(NodeFixture node)
{
    private const int Points = 12;

    [Fact]
    public async Task An_agent_killed_at_random_points_of_deploys_leaves_one_instance_and_traffic_served()
    {
        NodeFixture.Succeeded(await node.McpAsync("deploy", node.WriteService("tough", "v1")));
        for (var i = 0; i < Points; i++)
        {
            using var deploy = node.StartMcp("deploy", node.WriteService("tough", i % 2 == 0 ? "v2" : "v1"));
            await Task.Delay(Random.Shared.Next(20, 700));
            await node.KillAgentAsync();
            // The proxy and the containers outlive the agent.
            Assert.StartsWith("hello from v", await node.GetAsync("tough"), StringComparison.Ordinal);
            node.StartAgent();
            await deploy.WaitForExitAsync();
            await NodeFixture.UntilAsync(async () => (await node.McpAsync("status", "tough")).Output.Contains("running", StringComparison.Ordinal), "the service runs after the restart");
            await NodeFixture.UntilAsync(async () => (await node.ContainersAsync("tough")).Length == 1, "exactly one instance is left");
            Assert.StartsWith("hello from v", await node.GetAsync("tough"), StringComparison.Ordinal);
        }

        NodeFixture.Succeeded(await node.McpAsync("undeploy", "tough"));
        Assert.Empty(await node.ContainersAsync("tough"));
    }

    [Fact]
    public async Task A_killed_proxy_comes_back_with_its_routes()
    {
        NodeFixture.Succeeded(await node.McpAsync("deploy", node.WriteService("front", "v1")));
        for (var i = 0; i < 5; i++)
        {
            await Command.RunAsync("kill", ["-9", $"{node.ProxyProcess}"]);
            await NodeFixture.UntilAsync(async () => await node.GetAsync("front") == "hello from v1", "the proxy serves again");
        }

        NodeFixture.Succeeded(await node.McpAsync("undeploy", "front"));
    }
}
