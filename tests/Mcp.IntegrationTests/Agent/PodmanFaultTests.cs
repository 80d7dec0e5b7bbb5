using Mcp.IntegrationTests.Hosts;

namespace Mcp.IntegrationTests.Agent;

/// <summary>The agent's own podman service hangs, or loses its storage.</summary>
public class PodmanFaultTests
{
    [Fact]
    public async Task One_that_hangs_hides_the_state_of_containers_is_replaced_and_they_run_on()
    {
        await using var agent = await SpareAgent.CreateAsync();
        await agent.StartAsync();
        var image = await ShellAsync(agent);
        NodeFixture.Succeeded(await agent.McpAsync("deploy", Worker(agent, image)));
        var before = await PidAsync(agent);
        var service = await ServiceAsync(agent);
        NodeFixture.Succeeded(await Command.RunAsync("kill", ["-STOP", service]));
        await NodeFixture.UntilAsync(
            async () => (await agent.McpAsync("status")).Output is var said
                && said.Contains("unknown (was running)", StringComparison.Ordinal)
                && said.Contains("unreachable: podman on spare", StringComparison.Ordinal),
            "status says that podman does not answer");
        await NodeFixture.UntilAsync(
            async () => Runs((await agent.McpAsync("status")).Output), "it answers again");
        Assert.NotEqual(service, await ServiceAsync(agent));
        Assert.Equal(before, await PidAsync(agent));
        var events = (await agent.McpAsync("events")).Output;
        Assert.Contains("runtime.replaced", events, StringComparison.Ordinal);
        // Its storage goes under it: what ran is gone, and comes again as soon as there is an image.
        NodeFixture.Succeeded(await agent.PodmanAsync("system", "reset", "-f"));
        await NodeFixture.UntilAsync(
            async () =>
            {
                await ShellAsync(agent);
                return Runs((await agent.McpAsync("status")).Output)
                    && await PidAsync(agent) is { Length: > 0 } now
                    && now != before;
            },
            "it runs anew",
            async () => (await agent.McpAsync("status")).Output + (await agent.McpAsync("events")).Output);
    }

    private static bool Runs(string status) => status.Contains("  running  ", StringComparison.Ordinal)
        && !status.Contains("unknown", StringComparison.Ordinal);

    // Into the store itself: no registry has it.
    private static async Task<string> ShellAsync(SpareAgent agent)
    {
        const string image = "localhost/shell:1";
        if ((await agent.PodmanAsync("image", "exists", image)).ExitCode == 0)
            return image;
        var root = Directory.CreateDirectory(Path.Combine(agent.Root, "shell", "bin"));
        var busybox = NodeFixture.Succeeded(await Command.RunAsync("sh", ["-c", "command -v busybox"])).Trim();
        File.Copy(busybox, Path.Combine(root.FullName, "busybox"), overwrite: true);
        var tar = Path.Combine(agent.Root, "shell.tar");
        NodeFixture.Succeeded(await Command.RunAsync("tar", ["-C", Path.Combine(agent.Root, "shell"), "-cf", tar, "."]));
        NodeFixture.Succeeded(await agent.PodmanAsync("import", tar, image));
        return image;
    }

    private static string Worker(SpareAgent agent, string image)
    {
        var file = Path.Combine(agent.Root, "work.toml");
        File.WriteAllText(file, $"""
            name = "work"
            [[components]]
            name = "loop"
            image = "{image}"
            watch = "0s"
            cmd = ["/bin/busybox", "sleep", "100000"]
            """);
        return file;
    }

    private static async Task<string> PidAsync(SpareAgent agent) =>
        (await agent.PodmanAsync("inspect", "work.loop.1", "--format", "{{.State.Pid}}")).Output.Trim();

    private static async Task<string> ServiceAsync(SpareAgent agent) =>
        NodeFixture.Succeeded(await Command.RunAsync("pgrep", ["-f", $"^podman .*unix://{agent.State}/podman.sock"])).Trim();
}
