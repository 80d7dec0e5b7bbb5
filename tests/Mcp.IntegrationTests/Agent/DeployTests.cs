using Mcp.IntegrationTests.Hosts;

namespace Mcp.IntegrationTests.Agent;

[Collection("node")]
public class DeployTests(NodeFixture node)
{
    [Fact]
    public async Task A_service_is_deployed_upgraded_without_a_failed_request_and_undeployed_without_a_trace()
    {
        NodeFixture.Succeeded(await node.McpAsync("deploy", node.WriteService("blog", "v1")));
        Assert.Equal("hello from v1", await node.GetAsync("blog"));

        var failed = 0;
        using var done = new CancellationTokenSource();
        var load = Enumerable.Range(0, 4).Select(_ => Task.Run(async () =>
        {
            while (!done.IsCancellationRequested)
            {
                if (!(await node.GetAsync("blog")).StartsWith("hello from v", StringComparison.Ordinal))
                    Interlocked.Increment(ref failed);
            }
        })).ToArray();
        NodeFixture.Succeeded(await node.McpAsync("deploy", node.WriteService("blog", "v2")));
        await done.CancelAsync();
        await Task.WhenAll(load);
        Assert.Equal(0, failed);
        Assert.Equal("hello from v2", await node.GetAsync("blog"));
        Assert.Equal(["blog.web.2"], await node.ContainersAsync("blog"));

        Assert.Contains("running", NodeFixture.Succeeded(await node.McpAsync("status", "blog")), StringComparison.Ordinal);
        Assert.Contains("listening on 8080", NodeFixture.Succeeded(await node.McpAsync("logs", "blog")), StringComparison.Ordinal);
        NodeFixture.Succeeded(await node.McpAsync("undeploy", "blog"));
        Assert.Empty(await node.ContainersAsync("blog"));
        Assert.Equal("HTTP 404", await node.GetAsync("blog"));
        Assert.Equal(1, (await node.McpAsync("status", "blog")).ExitCode);
    }

    [Fact]
    public async Task A_failed_health_gate_leaves_the_old_generation_serving_and_tells_why()
    {
        NodeFixture.Succeeded(await node.McpAsync("deploy", node.WriteService("sick", "v1")));
        var (exitCode, output, error) = await node.McpAsync("deploy", node.WriteService("sick", "v2", health: "/missing"));
        Assert.Equal(1, exitCode);
        Assert.Contains("undone  start", output, StringComparison.Ordinal);
        Assert.Contains("GET /missing on port 8080", error, StringComparison.Ordinal);
        Assert.Contains("HTTP 404", error, StringComparison.Ordinal);
        Assert.Contains("| [::ffff:", error, StringComparison.Ordinal);
        Assert.Equal("hello from v1", await node.GetAsync("sick"));
        Assert.Equal(["sick.web.1"], await node.ContainersAsync("sick"));
        NodeFixture.Succeeded(await node.McpAsync("undeploy", "sick"));
    }

    [Fact]
    public async Task An_image_that_does_not_exist_is_a_clear_error_and_leaves_nothing()
    {
        var (exitCode, _, error) = await node.McpAsync("deploy", node.WriteService("noimage", "v99"));
        Assert.Equal(1, exitCode);
        Assert.Contains("cannot pull", error, StringComparison.Ordinal);
        Assert.Empty(await node.ContainersAsync("noimage"));
        Assert.DoesNotContain("noimage", NodeFixture.Succeeded(await node.McpAsync("list")), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_fixed_port_in_use_is_a_clear_error()
    {
        var (exitCode, _, error) = await node.McpAsync(
            "deploy",
            node.WriteService("taken", "v1", extra: $"ports = [\"127.0.0.1:{node.ProxyPort}:9\"]"));
        Assert.Equal(1, exitCode);
        Assert.Contains("port is in use", error, StringComparison.Ordinal);
        Assert.Empty(await node.ContainersAsync("taken"));
    }

    [Fact]
    public async Task A_container_that_is_killed_or_removed_comes_back()
    {
        NodeFixture.Succeeded(await node.McpAsync("deploy", node.WriteService("phoenix", "v1")));
        await node.PodmanAsync("kill", "phoenix.web.1");
        await NodeFixture.UntilAsync(async () => await node.GetAsync("phoenix") == "hello from v1", "the killed container serves again");
        await node.PodmanAsync("rm", "-f", "-t", "0", "phoenix.web.1");
        await NodeFixture.UntilAsync(async () => await node.GetAsync("phoenix") == "hello from v1", "the removed container serves again");
        Assert.Contains("drift.mended", NodeFixture.Succeeded(await node.McpAsync("events")), StringComparison.Ordinal);
        NodeFixture.Succeeded(await node.McpAsync("stop", "phoenix"));
        NodeFixture.Succeeded(await node.McpAsync("sync"));
        Assert.Contains("stopped", NodeFixture.Succeeded(await node.McpAsync("status", "phoenix")), StringComparison.Ordinal);
        NodeFixture.Succeeded(await node.McpAsync("start", "phoenix"));
        await NodeFixture.UntilAsync(async () => await node.GetAsync("phoenix") == "hello from v1", "the started service serves");
        NodeFixture.Succeeded(await node.McpAsync("undeploy", "phoenix"));
    }
}
