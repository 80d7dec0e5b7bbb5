using System.Globalization;
using Mcp.IntegrationTests.Hosts;

namespace Mcp.IntegrationTests.Agent;

/// <summary>The agent, the CLI and all three runtimes in one service.</summary>
[Collection("node")]
public sealed class VmTests(NodeFixture node)
{
    [Fact]
    public async Task A_service_mixes_all_three_runtimes_and_its_VMs_outlive_the_agent()
    {
        string Component(string name, string runtime) => $$"""
            [[components]]
            name = "{{name}}"
            runtime = "{{runtime}}"
            image = "{{node.Image("v1")}}"
            health = { http = "/", interval = "300ms", retries = 100 }
            [[components.routes]]
            name = "http"
            port = 8080
            hostname = "{{name}}-mixed.example.com"

            """;
        var file = node.Write(
            "mixed",
            "name = \"mixed\"\n" + Component("container", "container") + Component("micro", "microvm") + Component("uni", "unikernel"));
        try
        {
            NodeFixture.Succeeded(await node.McpAsync("deploy", file));
            string[] names = ["container", "micro", "uni"];
            foreach (var name in names)
                Assert.Equal("hello from v1", await node.GetAsync($"{name}-mixed"));
            var ps = NodeFixture.Succeeded(await node.McpAsync("ps"));
            Assert.All(names, n => Assert.Contains($"mixed.{n}.1", ps, StringComparison.Ordinal));
            Assert.Equal(3, NodeFixture.Succeeded(await node.McpAsync("logs", "mixed")).Split("listening on 8080").Length - 1);

            using (var following = node.StartMcp("logs", "-f", "mixed"))
            {
                var lines = new HashSet<string>();
                while (lines.Count < 3)
                {
                    var line = await following.StandardOutput.ReadLineAsync().WaitAsync(TimeSpan.FromSeconds(20));
                    if (line!.Contains("listening on 8080", StringComparison.Ordinal))
                        lines.Add(line.Split(' ', '|')[0]);
                }

                following.Kill();
            }

            var before = await VmsAsync();
            Assert.Equal(2, before.Length);
            await node.KillAgentAsync();
            node.StartAgent();
            await NodeFixture.UntilAsync(async () => (await node.McpAsync("status", "mixed")).ExitCode == 0, "the agent is back");
            foreach (var name in names)
                Assert.Equal("hello from v1", await node.GetAsync($"{name}-mixed"));
            Assert.Equal(before, await VmsAsync());
        }
        finally
        {
            await node.McpAsync("undeploy", "mixed");
        }

        Assert.Empty(await VmsAsync());
        Assert.Empty(Directory.GetDirectories(Path.Combine(node.State, "vms", "microvm")));
        Assert.Empty(Directory.GetDirectories(Path.Combine(node.State, "vms", "unikernel")));
    }

    [Fact]
    public async Task A_microvm_with_a_volume_is_upgraded_and_another_agents_runs_beside_it()
    {
        var directory = Directory.CreateTempSubdirectory("mcp-kept");
        await using var spare = await SpareAgent.CreateAsync();
        await spare.StartAsync();
        try
        {
            await File.WriteAllTextAsync(Path.Combine(directory.FullName, "index.html"), "from the volume");
            NodeFixture.Succeeded(await node.McpAsync("deploy", Kept("v1", directory.FullName)));
            Assert.Equal("from the volume", await node.GetAsync("kept"));
            NodeFixture.Succeeded(await node.McpAsync("deploy", Kept("v2", directory.FullName)));
            Assert.Equal("from the volume", await node.GetAsync("kept"));
            var status = NodeFixture.Succeeded(await node.McpAsync("ps"));
            Assert.Contains("kept.web.2", status, StringComparison.Ordinal);
            Assert.DoesNotContain("kept.web.1", status, StringComparison.Ordinal);
            // Another agent of this machine, with the same service, and generations beside each other.
            var other = Directory.CreateDirectory(Path.Combine(spare.Root, "other")).FullName;
            await File.WriteAllTextAsync(Path.Combine(other, "index.html"), "another's");
            NodeFixture.Succeeded(await spare.McpAsync("deploy", Kept("v1", other, ":ro")));
            NodeFixture.Succeeded(await spare.McpAsync("deploy", Kept("v2", other, ":ro")));
            Assert.Equal("from the volume", await node.GetAsync("kept"));
            NodeFixture.Succeeded(await spare.McpAsync("undeploy", "kept"));
            // A container may not write beside the VM, and takes the directory over from it.
            var rival = node.Write("rival", $"""
                name = "rival"
                [[components]]
                name = "web"
                image = "{node.Image("v1")}"
                volumes = ["{directory.FullName}:/data"]
                """);
            var (exitCode, _, error) = await node.McpAsync("deploy", rival);
            Assert.Equal(1, exitCode);
            Assert.Contains("kept.web.2", error, StringComparison.Ordinal);
            NodeFixture.Succeeded(await node.McpAsync("deploy", Kept("v2", directory.FullName, runtime: "container")));
            Assert.Equal("from the volume", await node.GetAsync("kept"));
            Assert.DoesNotContain(
                "microvm",
                NodeFixture.Succeeded(await node.McpAsync("ps")).Split('\n').Single(l => l.StartsWith("kept.", StringComparison.Ordinal)),
                StringComparison.Ordinal);
        }
        finally
        {
            await node.McpAsync("undeploy", "kept");
            directory.Delete(recursive: true);
        }
    }

    private string Kept(string tag, string directory, string option = "", string runtime = "microvm") => node.Write("kept", $$"""
        name = "kept"
        [[components]]
        name = "web"
        runtime = "{{runtime}}"
        image = "{{node.Image(tag)}}"
        volumes = ["{{directory}}:/www{{option}}"]
        health = { http = "/", interval = "300ms", retries = 100 }
        [[components.routes]]
        name = "http"
        port = 8080
        hostname = "kept.example.com"
        """);

    [Fact]
    public async Task A_killed_VM_is_started_again()
    {
        var file = node.Write("killed", $$"""
            name = "killed"
            [[components]]
            name = "web"
            runtime = "microvm"
            image = "{{node.Image("v1")}}"
            health = { http = "/", interval = "300ms", retries = 100 }
            [[components.routes]]
            name = "http"
            port = 8080
            hostname = "killed.example.com"
            """);
        try
        {
            NodeFixture.Succeeded(await node.McpAsync("deploy", file));
            var before = await VmsAsync();
            Assert.Single(before);
            NodeFixture.Succeeded(await Command.RunAsync("kill", ["-9", before[0]]));
            await NodeFixture.UntilAsync(
                async () => await VmsAsync() is [var now] && now != before[0] && await node.GetAsync("killed") == "hello from v1",
                "it serves again",
                async () => (await node.McpAsync("events", "--tail", "5")).Output);
        }
        finally
        {
            await node.McpAsync("undeploy", "killed");
        }

        Assert.Empty(await VmsAsync());
    }

    [Fact]
    public async Task A_VM_that_ended_says_how_and_a_component_may_change_its_runtime()
    {
        var port = NodeFixture.FreePort();
        string Written(string runtime, string image, string cmd) => node.Write("turn", $$"""
            name = "turn"
            [[components]]
            name = "web"
            runtime = "{{runtime}}"
            image = "{{node.Image(image)}}"
            ports = ["127.0.0.1:{{port}}:8080"]
            restart = "no"
            memory_mb = 64
            {{cmd}}
            """);
        try
        {
            NodeFixture.Succeeded(await node.McpAsync("deploy", Written("container", "v1", "")));
            NodeFixture.Succeeded(await node.McpAsync("deploy", Written("microvm", "v2", "")));
            using (var http = new HttpClient { Timeout = TimeSpan.FromSeconds(2) })
            {
                await NodeFixture.UntilAsync(
                    async () => (await http.GetStringAsync(new Uri($"http://127.0.0.1:{port}/"))).Trim() == "hello from v2",
                    "the microvm has the container's port");
            }

            Assert.Empty(await node.ContainersAsync("turn"));
            await node.McpAsync("deploy", Written("microvm", "shell", "cmd = [\"-c\", \"busybox sleep 2; echo c > /proc/sysrq-trigger\"]"));
            await NodeFixture.UntilAsync(
                async () => (await node.McpAsync("ps", "turn")).Output.Contains(
                    "failed (no exit code: the guest's kernel panicked",
                    StringComparison.Ordinal),
                "ps says that the kernel panicked",
                async () => (await node.McpAsync("ps", "turn")).Output);
        }
        finally
        {
            await node.McpAsync("undeploy", "turn");
        }

        Assert.Empty(await VmsAsync());
    }

    [Fact]
    public async Task The_nodes_runtimes_are_shown_with_how_they_are_accelerated()
    {
        var shown = NodeFixture.Succeeded(await node.McpAsync("node", "show", "-o", "json"));
        Assert.Contains("microvm", shown, StringComparison.Ordinal);
        Assert.Contains("unikernel", shown, StringComparison.Ordinal);
        Assert.Contains("TCG", shown, StringComparison.Ordinal);
        var doctor = NodeFixture.Succeeded(await node.McpAsync("doctor"));
        Assert.All(
            (string[])["runtime container", "runtime microvm", "runtime unikernel", "TCG (slow), as configured"],
            w => Assert.Contains(w, doctor, StringComparison.Ordinal));
    }

    // QEMU processes of this node, by what they run in.
    private async Task<string[]> VmsAsync()
    {
        var found = new List<string>();
        foreach (var pid in (await Command.RunAsync("pgrep", ["-x", "qemu-system-x86"])).Output.Split(
            '\n',
            StringSplitOptions.RemoveEmptyEntries))
        {
            var at = (await Command.RunAsync("readlink", [string.Create(CultureInfo.InvariantCulture, $"/proc/{pid}/cwd")])).Output;
            if (at.StartsWith(node.State, StringComparison.Ordinal))
                found.Add(pid);
        }

        return [.. found.Order(StringComparer.Ordinal)];
    }
}
