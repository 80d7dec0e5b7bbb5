using Mcp.IntegrationTests.Hosts;

namespace Mcp.IntegrationTests.Agent;

[Collection("node")]
public class KillTests(NodeFixture node)
{
    private const int Points = 50;

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
            await NodeFixture.UntilAsync(
                async () => (await node.McpAsync("status", "tough")).Output.Contains("running", StringComparison.Ordinal),
                "the service runs after the restart");
            await NodeFixture.UntilAsync(async () => (await node.ContainersAsync("tough")).Length == 1, "exactly one instance is left");
            Assert.StartsWith("hello from v", await node.GetAsync("tough"), StringComparison.Ordinal);
        }

        NodeFixture.Succeeded(await node.McpAsync("undeploy", "tough"));
        Assert.Empty(await node.ContainersAsync("tough"));
    }

    [Fact]
    public async Task A_proxy_killed_at_random_points_of_deploys_comes_back_with_its_routes()
    {
        NodeFixture.Succeeded(await node.McpAsync("deploy", node.WriteService("front", "v1")));
        for (var i = 0; i < Points; i++)
        {
            var tag = i % 2 == 0 ? "v2" : "v1";
            var deploy = node.McpAsync("deploy", node.WriteService("front", tag));
            await Task.Delay(Random.Shared.Next(20, 600));
            await Command.RunAsync("kill", ["-9", $"{node.ProxyProcess}"]);
            await NodeFixture.UntilAsync(
                async () => (await node.GetAsync("front")).StartsWith("hello from v", StringComparison.Ordinal),
                "the proxy serves again");
            NodeFixture.Succeeded(await deploy);
            Assert.Equal($"hello from {tag}", await node.GetAsync("front"));
            Assert.Single(await node.ContainersAsync("front"));
        }

        NodeFixture.Succeeded(await node.McpAsync("undeploy", "front"));
    }
}
