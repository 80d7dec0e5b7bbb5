using Mcp.IntegrationTests.Hosts;

namespace Mcp.IntegrationTests.Agent;

/// <summary>A tag that is pushed again to a real registry.</summary>
[Collection("node")]
public sealed class PushedAgainTests(NodeFixture node)
{
    private const string Newer = "the registry has a newer image, and --pull web takes it";

    [Fact]
    public async Task A_plan_tells_of_it_and_nothing_takes_it_before_it_is_pulled()
    {
        await PushAsync("again", "one");
        var file = node.WriteService("again", "again");
        NodeFixture.Succeeded(await node.McpAsync("deploy", file));
        Assert.Equal("one", await node.GetAsync("again"));
        Assert.DoesNotContain(Newer, NodeFixture.Succeeded(await node.McpAsync("plan", file)), StringComparison.Ordinal);

        await PushAsync("again", "two");
        Assert.Contains(Newer, NodeFixture.Succeeded(await node.McpAsync("plan", file)), StringComparison.Ordinal);
        NodeFixture.Succeeded(await node.McpAsync("deploy", file, "--force"));
        Assert.Equal("one", await node.GetAsync("again"));

        NodeFixture.Succeeded(await node.McpAsync("deploy", file, "--pull", "web"));
        Assert.Equal("two", await node.GetAsync("again"));
        Assert.DoesNotContain(Newer, NodeFixture.Succeeded(await node.McpAsync("plan", file)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_lost_container_is_made_anew_of_its_own_image_whatever_the_tag_means_by_now()
    {
        await PushAsync("lost", "one");
        NodeFixture.Succeeded(await node.McpAsync("deploy", node.WriteService("lost", "lost")));
        await PushAsync("lost", "two");
        NodeFixture.Succeeded(await node.PodmanAsync("pull", "--tls-verify=false", node.Image("lost")));
        NodeFixture.Succeeded(await node.PodmanAsync("rm", "-f", "-t", "0", "lost.web.1"));
        await NodeFixture.UntilAsync(async () => (await node.ContainersAsync("lost")).Length == 1, "it is made anew");
        await NodeFixture.UntilAsync(async () => await AnswerAsync("lost") == "one", "it serves what it was");
        Assert.Contains(node.Image("lost"), NodeFixture.Succeeded(await node.McpAsync("ps")), StringComparison.Ordinal);
    }

    [Fact]
    public async Task With_always_each_deploy_takes_it_and_only_then_something_changes()
    {
        await PushAsync("always", "one");
        var file = node.WriteService("always", "always", extra: "pull = \"always\"");
        NodeFixture.Succeeded(await node.McpAsync("deploy", file));
        NodeFixture.Succeeded(await node.McpAsync("deploy", file));
        Assert.Equal(["always.web.1"], await node.ContainersAsync("always"));

        await PushAsync("always", "two");
        Assert.Contains(
            "the registry has a newer image", NodeFixture.Succeeded(await node.McpAsync("plan", file)), StringComparison.Ordinal);
        NodeFixture.Succeeded(await node.McpAsync("deploy", file));
        Assert.Equal("two", await node.GetAsync("always"));
        NodeFixture.Succeeded(await node.McpAsync("deploy", file));
        Assert.Equal(["always.web.2"], await node.ContainersAsync("always"));
    }

    private async Task<string> AnswerAsync(string service)
    {
        try
        {
            return await node.GetAsync(service);
        }
        catch (Exception e) when (e is HttpRequestException or TaskCanceledException)
        {
            return "";
        }
    }

    private async Task PushAsync(string tag, string text) => NodeFixture.Succeeded(await Command.RunAsync(
        Path.Combine(Command.Repository, "scripts", "sample-image"), [node.Image(tag), text]));
}
