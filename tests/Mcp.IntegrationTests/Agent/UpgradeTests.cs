using Mcp.Agent.Registry;
using Mcp.IntegrationTests.Hosts;
using Microsoft.Data.Sqlite;

namespace Mcp.IntegrationTests.Agent;

/// <summary>The programs of before this round and those of today on one state directory, and rows that another version wrote.</summary>
public sealed class UpgradeTests(NodeFixture node)
{
    // The last commit before a volume had one writer and the zone's names were the zone's.
    private const string Before = "8395a6f";

    // So many that moving them to today's schema takes long enough to be killed in the middle of it.
    private const int Padding = 4000;

    [Fact]
    public async Task What_an_older_version_deployed_is_seen_stopped_restarted_and_removed_by_this_one_which_touches_nothing_unasked()
    {
        var old = Directory.CreateTempSubdirectory("mcp-before").FullName;
        NodeFixture.Succeeded(await Command.RunAsync(
            Path.Combine(Command.Repository, "scripts", "agent-of"),
            [Before, old],
            limit: TimeSpan.FromMinutes(8)));
        await using var agent = await SpareAgent.CreateAsync(bin: old);
        var volume = Directory.CreateDirectory(Path.Combine(agent.Root, "both")).FullName;
        await agent.StartAsync();
        foreach (var name in (string[])["good", "twins", "zoned", "guest"])
            NodeFixture.Succeeded(await agent.McpAsync("deploy", Write(agent, name, volume)));
        var before = await InstancesAsync(agent);
        Assert.Equal(5, before.Length);

        await agent.KillAsync();
        agent.Bin = Command.Bin;
        await KillWhileMigratingAsync(agent);
        await agent.StartAsync();
        // Its proxy could not hand over, and has been replaced all the same: by one that can, which has a link.
        await NodeFixture.UntilAsync(
            () => Task.FromResult(new FileInfo(Path.Combine(agent.State, "proxy.sock")).LinkTarget is not null), "a proxy of today leads");
        NodeFixture.Succeeded(await agent.McpAsync("sync"));
        var status = NodeFixture.Succeeded(await agent.McpAsync("status"));
        Assert.Equal(5, status.Split('\n').Count(l => l.Contains(" running ", StringComparison.Ordinal)));
        Assert.Equal(before, await InstancesAsync(agent));
        // Today's rules are for those who ask today.
        foreach (var refused in (string[])["twins", "zoned"])
            Assert.NotEqual(0, (await agent.McpAsync("deploy", Write(agent, refused, volume))).ExitCode);
        Assert.Equal(before, await InstancesAsync(agent));
        foreach (var name in (string[])["twins", "zoned", "good", "guest"])
        {
            NodeFixture.Succeeded(await agent.McpAsync("restart", name));
            NodeFixture.Succeeded(await agent.McpAsync("stop", name));
            NodeFixture.Succeeded(await agent.McpAsync("start", name));
        }

        Assert.Equal(before.Select(Name), (await InstancesAsync(agent)).Select(Name));
        // What did not change is kept, also over the versions.
        Assert.Contains(
            "nothing changed",
            NodeFixture.Succeeded(await agent.McpAsync("deploy", Write(agent, "good", volume))),
            StringComparison.Ordinal);
        foreach (var name in (string[])["twins", "zoned", "good", "guest"])
            NodeFixture.Succeeded(await agent.McpAsync("undeploy", name));
        Assert.Empty(await InstancesAsync(agent));
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
        Assert.Contains(
            "colour = \"red\"",
            NodeFixture.Succeeded(await agent.McpAsync("service", "show", "newer")),
            StringComparison.Ordinal);
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

    // Again and again from the older registry, until a kill has come after the first of the steps and before the last.
    private static async Task KillWhileMigratingAsync(SpareAgent agent)
    {
        var file = Path.Combine(agent.State, "registry.db");
        var first = await PadAsync(file);
        var older = Path.Combine(agent.Root, "older.db");
        File.Copy(file, older);
        var last = first;
        for (var tries = 0; last <= first || last >= AgentRegistry.Migrations[^1].Number; tries++)
        {
            Assert.True(tries < 200, "no kill has come in the middle of it");
            foreach (var left in (string[])["-wal", "-shm"])
                File.Delete(file + left);
            File.Copy(older, file, overwrite: true);
            await agent.StartAndKillAsync(TimeSpan.FromMilliseconds(10 + (tries % 50 * 6)));
            last = await VersionAsync(file);
        }
    }

    // Stopped components, as that version stored them. Returns the version of its schema.
    private static async Task<long> PadAsync(string file)
    {
        await using var registry = new SqliteConnection($"Data Source={file};Pooling=false");
        await registry.OpenAsync(TestContext.Current.CancellationToken);
        using var pad = registry.CreateCommand();
        pad.CommandText = $"""
            INSERT INTO services (name, tier, active, updated_at) VALUES ('padding', 'worker', 0, '2026-01-01T00:00:00Z');
            WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {Padding})
            INSERT INTO components (service, name, position, image, definition, spec_hash, generation, desired, updated_at)
            SELECT 'padding', 'c' || i, i, 'x.lan/y:1', format('[[components]]%sname = "c%d"%simage = "x.lan/y:1"%s', char(10), i, char(10), char(10)),
              'h', 1, 'Stopped', '2026-01-01T00:00:00Z'
            FROM n;
            PRAGMA wal_checkpoint(TRUNCATE);
            """;
        await pad.ExecuteNonQueryAsync(TestContext.Current.CancellationToken);
        return await VersionAsync(file);
    }

    private static async Task<long> VersionAsync(string file)
    {
        await using var registry = new SqliteConnection($"Data Source={file};Pooling=false");
        await registry.OpenAsync(TestContext.Current.CancellationToken);
        using var version = registry.CreateCommand();
        version.CommandText = "PRAGMA user_version";
        return (long)(await version.ExecuteScalarAsync(TestContext.Current.CancellationToken))!;
    }

    private string Write(SpareAgent agent, string name, string volume)
    {
        var written = Path.Combine(agent.Root, $"{name}.toml");
        if (name == "guest")
        {
            File.WriteAllText(written, $"""
                name = "guest"
                [[components]]
                name = "vm"
                runtime = "microvm"
                image = "{node.Image("shell")}"
                cmd = ["-c", "trap 'exit 0' TERM; while :; do busybox sleep 1; done"]
                memory_mb = 64
                """);
            return written;
        }

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
        File.WriteAllText(written, $"name = \"{name}\"\n{component}\n{(name == "twins" ? second : "")}\n");
        return written;
    }

    // Names with the moment of their start: one that was touched has another.
    private static async Task<string[]> ContainersAsync(SpareAgent agent) =>
        [.. (await agent.PodmanAsync("ps", "--filter", "label=mcp.service", "--format", "{{.Names}} {{.StartedAt}} {{.ID}}")).Output
            .Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Order()];

    // With the VMs, and their process numbers.
    private static async Task<string[]> InstancesAsync(SpareAgent agent)
    {
        var vms = await Command.RunAsync("pgrep", ["-f", "-a", "^[^ ]*qemu-system.* guest=guest.vm"]);
        return [
            .. await ContainersAsync(agent),
            .. vms.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => $"guest.vm {l.Split(' ')[0]}"),
        ];
    }

    private static string Name(string container) => container.Split(' ')[0];
}
