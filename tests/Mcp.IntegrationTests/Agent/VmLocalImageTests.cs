using Mcp.IntegrationTests.Hosts;

namespace Mcp.IntegrationTests.Agent;

/// <summary>An image that no registry has.</summary>
[Collection("node")]
public sealed class VmLocalImageTests(NodeFixture node)
{
    private const string Image = "localhost/only-here:1";

    [Fact]
    public async Task What_only_podman_has_runs_with_every_runtime_and_one_that_was_built_again_is_taken_with_pull()
    {
        static string Component(string name, string runtime) => $$"""
            [[components]]
            name = "{{name}}"
            runtime = "{{runtime}}"
            image = "{{Image}}"
            health = { http = "/", interval = "300ms", retries = 100 }
            [[components.routes]]
            name = "http"
            port = 8080
            hostname = "{{name}}-here.example.com"

            """;
        var file = node.Write(
            "here",
            "name = \"here\"\n" + Component("container", "container") + Component("micro", "microvm") + Component("uni", "unikernel"));
        try
        {
            var (exitCode, _, error) = await node.McpAsync("deploy", file);
            Assert.NotEqual(0, exitCode);
            Assert.Contains(Image, error, StringComparison.Ordinal);
            await MakeAsync("v1");
            NodeFixture.Succeeded(await node.McpAsync("deploy", file));
            foreach (var name in (string[])["container", "micro", "uni"])
                Assert.Equal("hello from v1", await node.GetAsync($"{name}-here"));

            await MakeAsync("v2");
            NodeFixture.Succeeded(await node.McpAsync("deploy", file, "--pull", "micro"));
            Assert.Equal("hello from v2", await node.GetAsync("micro-here"));
            Assert.Equal("hello from v1", await node.GetAsync("container-here"));
            NodeFixture.Succeeded(await node.McpAsync("images", "prune"));
            // The user's own stays, whatever mcp made of it.
            NodeFixture.Succeeded(await node.PodmanAsync("image", "exists", Image));
        }
        finally
        {
            await node.McpAsync("undeploy", "here");
            await node.PodmanAsync("untag", Image, Image);
        }
    }

    private async Task MakeAsync(string tag)
    {
        NodeFixture.Succeeded(await node.PodmanAsync("pull", "--tls-verify=false", node.Image(tag)));
        NodeFixture.Succeeded(await node.PodmanAsync("tag", node.Image(tag), Image));
    }
}
