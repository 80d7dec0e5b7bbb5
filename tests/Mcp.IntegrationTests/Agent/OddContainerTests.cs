using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Mcp.IntegrationTests.Hosts;

namespace Mcp.IntegrationTests.Agent;

/// <summary>What people and images do with containers beside the agent, on real podman.</summary>
[Collection("node")]
public class OddContainerTests(NodeFixture node)
{
    [Fact]
    public async Task One_that_was_renamed_is_found_by_its_labels_and_gets_its_name_back()
    {
        NodeFixture.Succeeded(await node.McpAsync("deploy", node.WriteService("renamed", "v1")));
        var id = await IdAsync("renamed.web.1");
        NodeFixture.Succeeded(await node.PodmanAsync("rename", "renamed.web.1", "mine"));
        await NodeFixture.UntilAsync(
            async () => await node.ContainersAsync("renamed") is ["renamed.web.1"], "it has its name again");
        Assert.Equal(id, await IdAsync("renamed.web.1"));
        Assert.Equal("hello from v1", await node.GetAsync("renamed"));
        NodeFixture.Succeeded(await node.McpAsync("undeploy", "renamed"));
        Assert.Empty(await node.ContainersAsync("renamed"));
    }

    [Fact]
    public async Task One_made_of_a_copy_of_ours_has_its_labels_and_is_left_alone()
    {
        NodeFixture.Succeeded(await node.McpAsync("deploy", node.WriteService("copied", "v1")));
        var image = $"localhost/copy:{Guid.NewGuid():N}";
        NodeFixture.Succeeded(await node.PodmanAsync("commit", "-q", "copied.web.1", image));
        NodeFixture.Succeeded(await node.PodmanAsync("run", "-d", "--name", "debug", "--network", "none", image));
        // Also while the one that it is a copy of is away.
        NodeFixture.Succeeded(await node.PodmanAsync("rm", "-f", "-t", "0", "copied.web.1"));
        await NodeFixture.UntilAsync(async () => await node.GetAsync("copied") == "hello from v1", "it is made anew");
        Assert.Equal(["copied.web.1", "debug"], (await node.ContainersAsync("copied")).Order());
        Assert.DoesNotContain("debug", (await node.McpAsync("ps")).Output, StringComparison.Ordinal);
        NodeFixture.Succeeded(await node.McpAsync("undeploy", "copied"));
        Assert.Equal(["debug"], await node.ContainersAsync("copied"));
        NodeFixture.Succeeded(await node.PodmanAsync("rm", "-f", "-t", "0", "debug"));
        NodeFixture.Succeeded(await node.PodmanAsync("rmi", "-f", image));
    }

    [Fact]
    public async Task A_paused_one_is_told_as_paused_at_once()
    {
        NodeFixture.Succeeded(await node.McpAsync("deploy", node.WriteService("paused", "v1")));
        NodeFixture.Succeeded(await node.PodmanAsync("pause", "paused.web.1"));
        await NodeFixture.UntilAsync(
            async () => (await node.McpAsync("status", "paused")).Output.Contains("paused (unhealthy)", StringComparison.Ordinal)
                || (await node.McpAsync("status", "paused")).Output.Contains(" paused ", StringComparison.Ordinal),
            "status says that it is paused");
        NodeFixture.Succeeded(await node.PodmanAsync("unpause", "paused.web.1"));
        NodeFixture.Succeeded(await node.McpAsync("undeploy", "paused"));
    }

    // podman goes on taking it for running.
    [Fact]
    public async Task One_whose_watcher_was_killed_before_it_is_made_anew_when_it_ends_and_can_be_removed()
    {
        NodeFixture.Succeeded(await node.McpAsync("deploy", node.WriteService("unwatched", "v1")));
        await KillBothAsync();
        await NodeFixture.UntilAsync(async () => await node.GetAsync("unwatched") == "hello from v1", "it is made anew");
        Assert.Equal(["unwatched.web.1"], await node.ContainersAsync("unwatched"));
        // And while nobody mends it.
        NodeFixture.Succeeded(await node.McpAsync("stop", "unwatched"));
        NodeFixture.Succeeded(await node.McpAsync("start", "unwatched"));
        await KillBothAsync();
        NodeFixture.Succeeded(await node.McpAsync("undeploy", "unwatched"));
        Assert.Empty(await node.ContainersAsync("unwatched"));

        async Task KillBothAsync()
        {
            var pids = NodeFixture.Succeeded(await node.PodmanAsync(
                "inspect", "--format", "{{.State.ConmonPid}} {{.State.Pid}}", "unwatched.web.1")).Split(' ');
            foreach (var pid in pids.Select(p => int.Parse(p, CultureInfo.InvariantCulture)))
                System.Diagnostics.Process.GetProcessById(pid).Kill();
        }
    }

    [Theory]
    [InlineData("ill", "test -e /tmp/ready", false, false)]
    [InlineData("asked", "touch /tmp/asked", false, true)]
    [InlineData("ill-oci", "test -e /tmp/ready", true, false)]
    [InlineData("asked-oci", "touch /tmp/asked", true, true)]
    public async Task What_an_image_says_that_it_should_be_asked_is_asked(string service, string check, bool isOci, bool isWell)
    {
        var image = isOci ? await PushedAsync(service, check) : await CheckedAsync(check);
        var file = node.Write(service, $"""
            name = "{service}"
            [[components]]
            name = "web"
            image = "{image}"
            [[components.routes]]
            name = "http"
            port = 8080
            hostname = "{service}.example.com"
            """);
        var (exitCode, output, error) = await node.McpAsync("deploy", file);
        Assert.Equal(isWell ? 0 : 1, exitCode);
        if (isWell)
        {
            NodeFixture.Succeeded(await node.PodmanAsync("exec", $"{service}.web.1", "busybox", "test", "-e", "/tmp/asked"));
            // podman itself does not ask beside it.
            string[] inspect = ["inspect", $"{service}.web.1", "--format", "{{.Config.Healthcheck}}"];
            Assert.DoesNotContain("touch", NodeFixture.Succeeded(await node.PodmanAsync(inspect)), StringComparison.Ordinal);
        }
        else
        {
            Assert.Contains("the image's HEALTHCHECK: exec /bin/sh -c busybox test", output + error, StringComparison.Ordinal);
            Assert.Contains("exit code 1", output + error, StringComparison.Ordinal);
        }

        await node.McpAsync("undeploy", service);
        NodeFixture.Succeeded(await node.PodmanAsync("rmi", "-f", image));
    }

    [Fact]
    public async Task On_the_host_network_a_strangers_answer_is_not_its_own()
    {
        using var stranger = new TcpListener(IPAddress.Loopback, 0);
        stranger.Start();
        var port = ((IPEndPoint)stranger.LocalEndpoint).Port;
        var other = NodeFixture.FreePort();
        string File(int asked) => node.Write("onhost", $$"""
            name = "onhost"
            [[components]]
            name = "web"
            image = "{{node.Image("v1")}}"
            network = "host"
            env = { PORT = "{{other}}" }
            health = { tcp = true, port = {{asked}}, interval = "100ms", retries = 10 }
            """);
        var (exitCode, output, error) = await node.McpAsync("deploy", File(port));
        Assert.Equal(1, exitCode);
        Assert.Contains($"connect to port {port}", output + error, StringComparison.Ordinal);
        Assert.Contains("nothing of it listens there", output + error, StringComparison.Ordinal);
        NodeFixture.Succeeded(await node.McpAsync("deploy", File(other)));
        NodeFixture.Succeeded(await node.McpAsync("undeploy", "onhost"));
    }

    private async Task<string> IdAsync(string name) =>
        NodeFixture.Succeeded(await node.PodmanAsync("inspect", name, "--format", "{{.Id}}")).Trim();

    // As other builders make them: podman's own leaves it out in this format.
    private async Task<string> PushedAsync(string tag, string check)
    {
        var root = Directory.CreateTempSubdirectory("mcp-image").FullName;
        foreach (var directory in (string[])["bin", "tmp"])
            Directory.CreateDirectory(Path.Combine(root, directory));
        System.IO.File.Copy("/bin/busybox", Path.Combine(root, "bin", "busybox"));
        System.IO.File.CreateSymbolicLink(Path.Combine(root, "bin", "sh"), "busybox");
        var config = $$"""
            {"Env":["PATH=/bin"],"Entrypoint":["busybox","httpd","-f","-p","8080","-h","/tmp"],
            "Healthcheck":{"Test":["CMD-SHELL","busybox {{check}}"],"Interval":1000000000,"Retries":3} }
            """;
        NodeFixture.Succeeded(await Command.RunAsync(
            Path.Combine(Command.Repository, "scripts", "push-image"), [root, node.Image(tag), config]));
        Directory.Delete(root, recursive: true);
        return node.Image(tag);
    }

    // Built as Dockerfiles are, of an image that the registry has.
    private async Task<string> CheckedAsync(string check)
    {
        var directory = Directory.CreateTempSubdirectory("mcp-image").FullName;
        NodeFixture.Succeeded(await node.PodmanAsync("pull", "-q", "--tls-verify=false", node.Image("v1")));
        await System.IO.File.WriteAllTextAsync(Path.Combine(directory, "Dockerfile"), $"""
            FROM {node.Image("v1")}
            HEALTHCHECK --interval=1s --retries=3 CMD busybox {check}
            """);
        var image = $"localhost/checked:{Guid.NewGuid():N}";
        NodeFixture.Succeeded(await node.PodmanAsync("build", "-q", "--format", "docker", "-t", image, directory));
        Directory.Delete(directory, recursive: true);
        return image;
    }
}
