using Mcp.IntegrationTests.Hosts;
using Microsoft.Data.Sqlite;

namespace Mcp.IntegrationTests.Agent;

/// <summary>The programs of before this round and those of today on one state directory, and rows that another version wrote.</summary>
public sealed class UpgradeTests(NodeFixture node)
{
    // The last commit before a volume had one writer and the zone's names were the zone's.
    private const string Before = "8395a6f";

    [Fact]
    public async Task What_an_older_version_deployed_is_seen_stopped_restarted_and_removed_by_this_one_which_touches_nothing_unasked()
    {
        var old = Directory.CreateTempSubdirectory("mcp-before").FullName;
        NodeFixture.Succeeded(await Command.RunAsync(Path.Combine(Command.Repository, "scripts", "agent-of"), [Before, old], limit: TimeSpan.FromMinutes(8)));
        await using var agent = await SpareAgent.CreateAsync(bin: old);
        var volume = Directory.CreateDirectory(Path.Combine(agent.Root, "both")).FullName;
        await agent.StartAsync();
        foreach (var name in (string[])["good", "twins", "zoned"])
            NodeFixture.Succeeded(await agent.McpAsync("deploy", Write(agent, name, volume)));
        var before = await ContainersAsync(agent);
        Assert.Equal(4, before.Length);

        await agent.KillAsync();
        agent.Bin = Command.Bin;
        await agent.StartAsync();
        NodeFixture.Succeeded(await agent.McpAsync("sync"));
        var status = NodeFixture.Succeeded(await agent.McpAsync("status"));
        Assert.Equal(4, status.Split('\n').Count(l => l.Contains(" running ", StringComparison.Ordinal)));
        Assert.Equal(before, await ContainersAsync(agent));
        // Today's rules are for those who ask today.
        foreach (var refused in (string[])["twins", "zoned"])
            Assert.NotEqual(0, (await agent.McpAsync("deploy", Write(agent, refused, volume))).ExitCode);
        Assert.Equal(before, await ContainersAsync(agent));
        foreach (var name in (string[])["twins", "zoned", "good"])
        {
            NodeFixture.Succeeded(await agent.McpAsync("restart", name));
            NodeFixture.Succeeded(await agent.McpAsync("stop", name));
            NodeFixture.Succeeded(await agent.McpAsync("start", name));
        }

        Assert.Equal(before.Select(Name), (await ContainersAsync(agent)).Select(Name));
        // What did not change is kept, also over the versions.
        Assert.Contains("nothing changed", NodeFixture.Succeeded(await agent.McpAsync("deploy", Write(agent, "good", volume))), StringComparison.Ordinal);
        foreach (var name in (string[])["twins", "zoned", "good"])
            NodeFixture.Succeeded(await agent.McpAsync("undeploy", name));
        Assert.Empty(await ContainersAsync(agent));
        Directory.Delete(old, recursive: true);
    }

    [Fact]
    public async Task A_row_that_another_version_stored_stops_nothing_but_itself()
    {
        await using var agent = await SpareAgent.CreateAsync();
        await agent.StartAsync();
        NodeFixture.Succeeded(await agent.McpAsync("deploy", Write(agent, "good", agent.Root)));
        NodeFixture.Succeeded(await agent.McpAsync("deploy", Write(agent, "newer", agent.Root)));
        NodeFixture.Succeeded(await agent.McpAsync("deploy", Write(agent, "broken", agent.Root)));
        var containers = await ContainersAsync(agent);
        await agent.KillAsync();
        await using (var registry = new SqliteConnection($"Data Source={Path.Combine(agent.State, "registry.db")};Pooling=false"))
        {
            await registry.OpenAsync(TestContext.Current.CancellationToken);
            using var change = registry.CreateCommand();
            change.CommandText = """
                UPDATE components SET definition = json_insert(definition, '$.colour', 'red') WHERE service = 'newer';
                UPDATE components SET definition = 'volumes = 7' WHERE service = 'broken';
                """;
            Assert.Equal(2, await change.ExecuteNonQueryAsync(TestContext.Current.CancellationToken));
        }

        await agent.StartAsync();
        var status = NodeFixture.Succeeded(await agent.McpAsync("status"));
        Assert.Equal(3, status.Split('\n').Count(l => l.Contains(" running ", StringComparison.Ordinal)));
        Assert.Contains("colour", status, StringComparison.Ordinal);
        NodeFixture.Succeeded(await agent.McpAsync("doctor"));
        NodeFixture.Succeeded(await agent.McpAsync("sync"));
        Assert.Equal(containers, await ContainersAsync(agent));
        Assert.Contains("colour = \"red\"", NodeFixture.Succeeded(await agent.McpAsync("service", "show", "newer")), StringComparison.Ordinal);
        foreach (var name in (string[])["newer", "broken", "good"])
        {
            NodeFixture.Succeeded(await agent.McpAsync("stop", name));
            NodeFixture.Succeeded(await agent.McpAsync("start", name));
            NodeFixture.Succeeded(await agent.McpAsync("restart", name));
        }

        Assert.Equal(containers.Select(Name), (await ContainersAsync(agent)).Select(Name));
        foreach (var name in (string[])["newer", "broken", "good"])
            NodeFixture.Succeeded(await agent.McpAsync("undeploy", name));
        Assert.Empty(await ContainersAsync(agent));
    }

    private string Write(SpareAgent agent, string name, string volume)
    {
        var volumes = name == "twins" ? $"volumes = [\"{volume}:/data\"]" : "";
        var component = $"""
            [[components]]
            name = "web"
            image = "{node.Image("v1")}"
            {volumes}
            [[components.routes]]
            name = "http"
            port = 8080
            hostname = "{(name == "zoned" ? "other.mcp.internal" : $"{name}.example.com")}"
            """;
        var second = $"""
            [[components]]
            name = "worker"
            image = "{node.Image("shell")}"
            cmd = ["-c", "trap 'exit 0' TERM; busybox sleep 3600 & wait"]
            {volumes}
            """;
        var file = Path.Combine(agent.Root, $"{name}.toml");
        File.WriteAllText(file, $"name = \"{name}\"\n{component}\n{(name == "twins" ? second : "")}\n");
        return file;
    }

    // Names with the moment of their start: one that was touched has another.
    private static async Task<string[]> ContainersAsync(SpareAgent agent) =>
        [.. (await agent.PodmanAsync("ps", "--filter", "label=mcp.service", "--format", "{{.Names}} {{.StartedAt}} {{.ID}}")).Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Order()];

    private static string Name(string container) => container.Split(' ')[0];
}
