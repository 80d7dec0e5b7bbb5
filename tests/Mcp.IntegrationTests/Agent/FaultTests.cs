using System.Net;
using System.Net.Sockets;
using Mcp.IntegrationTests.Hosts;

namespace Mcp.IntegrationTests.Agent;

/// <summary>What surrounds the agent is broken: its answer is clear, and nothing is lost.</summary>
[Collection("node")]
public class FaultTests(NodeFixture node)
{
    [Fact]
    public async Task A_registry_that_hangs_is_given_up_after_the_pull_limit_with_a_clear_error()
    {
        using var silent = new TcpListener(IPAddress.Loopback, 0);
        silent.Start();
        var port = ((IPEndPoint)silent.LocalEndpoint).Port;
        await File.WriteAllTextAsync(Path.Combine(node.State, "hang.toml"), $"""
            name = "hang"
            [[components]]
            name = "web"
            image = "127.0.0.1:{port}/hello:v1"
            """);
        var (exitCode, _, error) = await node.McpAsync("deploy", Path.Combine(node.State, "hang.toml"));
        Assert.Equal(1, exitCode);
        Assert.Contains("did not deliver within 5 s", error, StringComparison.Ordinal);
        Assert.Empty(await node.ContainersAsync("hang"));
    }

    [Fact]
    public async Task A_full_disk_is_a_clear_error_and_the_registry_stays_intact()
    {
        var mount = Directory.CreateTempSubdirectory("mcp-small").FullName;
        NodeFixture.Succeeded(await Command.RunAsync("mount", ["-t", "tmpfs", "-o", "size=3m", "tmpfs", mount]));
        try
        {
            // The node's podman store, so that only the state is on the small disk.
            await using var agent = await SpareAgent.CreateAsync($"socket = \"{node.State}/podman.sock\"\n", mount);
            await agent.StartAsync();
            var filler = Path.Combine(mount, "filler");
            await using (var file = new FileStream(filler, FileMode.Create))
            {
                var block = new byte[4096];
                try
                {
                    while (true)
                    {
                        await file.WriteAsync(block);
                        await file.FlushAsync();
                    }
                }
                catch (IOException)
                {
                    // Full.
                }
            }

            var (exitCode, _, error) = await agent.McpAsync("deploy", node.WriteService("full", "v1"));
            Assert.Equal(1, exitCode);
            Assert.Contains("a disk of the machine", error, StringComparison.Ordinal);
            Assert.Contains("free some space", error, StringComparison.Ordinal);
            Assert.Equal(0, (await agent.McpAsync("list")).ExitCode);

            File.Delete(filler);
            NodeFixture.Succeeded(await agent.McpAsync("deploy", node.WriteService("full", "v1")));
            Assert.Contains("full", NodeFixture.Succeeded(await agent.McpAsync("list")), StringComparison.Ordinal);
            NodeFixture.Succeeded(await agent.McpAsync("undeploy", "full"));
        }
        finally
        {
            await Command.RunAsync("umount", ["-l", mount]);
            Directory.Delete(mount, recursive: true);
        }
    }

    [Fact]
    public async Task A_corrupted_registry_file_keeps_the_agent_from_starting_says_how_to_restore_and_is_not_touched()
    {
        await using var agent = await SpareAgent.CreateAsync();
        var registry = Path.Combine(agent.State, "registry.db");
        byte[] garbage = [.. "SQLite format 3\0"u8, .. Enumerable.Range(0, 9000).Select(i => (byte)(i * 31))];
        await File.WriteAllBytesAsync(registry, garbage);
        var (exitCode, _, error) = await Command.RunAsync(Path.Combine(Command.Bin, "mcp-agent"), ["run", "--config", agent.Config]);
        Assert.Equal(1, exitCode);
        Assert.Contains($"the registry {registry} is damaged", error, StringComparison.Ordinal);
        Assert.Contains("restore it from a backup", error, StringComparison.Ordinal);
        Assert.Equal(garbage, await File.ReadAllBytesAsync(registry));
    }

    [Fact]
    public async Task Without_podman_the_agent_starts_and_says_so_in_doctor_and_node_status()
    {
        await using var agent = await SpareAgent.CreateAsync();
        var path = Path.Combine(agent.Root, "empty-path");
        Directory.CreateDirectory(path);
        await agent.StartAsync(new Dictionary<string, string> { ["PATH"] = path });
        var (exitCode, output, _) = await agent.McpAsync("doctor");
        Assert.Equal(1, exitCode);
        Assert.Contains("there is no program podman -> install the package podman", output, StringComparison.Ordinal);
        Assert.Contains("container: ", NodeFixture.Succeeded(await agent.McpAsync("node", "show")), StringComparison.Ordinal);
        Assert.Equal(0, (await agent.McpAsync("list")).ExitCode);
        var deploy = await agent.McpAsync("deploy", node.WriteService("nopodman", "v1"));
        Assert.Equal(1, deploy.ExitCode);
        Assert.Contains("there is no program podman", deploy.Error, StringComparison.Ordinal);
        Assert.Contains("install the package podman", deploy.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("Exception", deploy.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_podman_that_is_broken_is_named_with_its_reason()
    {
        await using var agent = await SpareAgent.CreateAsync();
        var path = Path.Combine(agent.Root, "bin");
        Directory.CreateDirectory(path);
        await File.WriteAllTextAsync(Path.Combine(path, "podman"), "#!/bin/sh\nexit 125\n");
        File.SetUnixFileMode(Path.Combine(path, "podman"), UnixFileMode.UserRead | UnixFileMode.UserExecute);
        await agent.StartAsync(new Dictionary<string, string> { ["PATH"] = $"{path}:/usr/bin:/bin" });
        // The first service that comes will ask for it.
        var (exitCode, output, _) = await agent.McpAsync("doctor");
        Assert.Equal(1, exitCode);
        Assert.Contains("failed  runtime container", output, StringComparison.Ordinal);
        Assert.Contains("ended with exit code 125", output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("a.b")]
    [InlineData("../x")]
    [InlineData("A")]
    [InlineData("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")]
    public async Task A_name_that_is_none_is_refused_by_the_agent_too(string name)
    {
        foreach (var command in (string[])["status", "undeploy", "logs"])
        {
            var (exitCode, _, error) = await node.McpAsync(command, name);
            Assert.NotEqual(0, exitCode);
            Assert.Contains("is not a name", error, StringComparison.Ordinal);
        }
    }
}
