using Mcp.IntegrationTests.Hosts;

namespace Mcp.IntegrationTests.Agent;

/// <summary>Named volumes with a real database, real images and a real microvm.</summary>
[Collection("node")]
public sealed class NamedVolumeTests(NodeFixture node) : IAsyncLifetime
{
    private readonly string _root = Directory.CreateTempSubdirectory("mcp-seed").FullName;
    private readonly int _port = NodeFixture.FreePort();

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        foreach (var service in (string[])["rows", "seeded"])
            await node.McpAsync("undeploy", service, "--volumes", "--yes");
        Directory.Delete(_root, recursive: true);
        Assert.Empty((await node.PodmanAsync("ps", "-a", "--filter", "label=mcp.fill", "--format", "{{.Names}}")).Output.Trim());
    }

    [Fact]
    public async Task PostgreSQL_keeps_its_rows_over_an_upgrade_and_an_undeploy_until_the_volume_is_removed()
    {
        NodeFixture.Succeeded(await Command.RunAsync(
            Path.Combine(Command.Repository, "scripts", "app-image"),
            ["postgres", node.Image("postgres-named")]));
        NodeFixture.Succeeded(await node.McpAsync("deploy", Database(1)));
        await SqlAsync("CREATE TABLE t (n int); INSERT INTO t VALUES (1)");
        Assert.Contains("stops first", NodeFixture.Succeeded(await node.McpAsync("plan", Database(2))), StringComparison.Ordinal);
        NodeFixture.Succeeded(await node.McpAsync("deploy", Database(2)));
        await SqlAsync("INSERT INTO t VALUES (2)");
        Assert.Contains("\"data:/data\"", NodeFixture.Succeeded(await node.McpAsync("service", "show", "rows")), StringComparison.Ordinal);
        var (refused, _, why) = await node.McpAsync("volume", "remove", "rows/data");
        Assert.Equal(1, refused);
        Assert.Contains("rows.db uses it", why, StringComparison.Ordinal);
        NodeFixture.Succeeded(await node.McpAsync("undeploy", "rows"));
        var kept = NodeFixture.Succeeded(await node.McpAsync("volume", "list", "rows"));
        Assert.Matches(@"rows +data +[\d.]+ MiB +20\d\d-\d\d-\d\d [\d:]+Z +nobody", kept);
        foreach (var elsewhere in (string[][])[["volume", "remove", "rows/data"], ["images", "prune"], ["images"]])
        {
            var (code, _, other) = await node.McpAsync([.. elsewhere, "--node", "elsewhere"]);
            Assert.Equal((1, true), (code, other.Contains(", not elsewhere", StringComparison.Ordinal)));
        }

        var again = NodeFixture.Succeeded(await node.McpAsync("deploy", Database(3)));
        Assert.Contains("takes over what is kept in its volume data", again, StringComparison.Ordinal);
        Assert.Equal("1\n2", (await SqlAsync("SELECT n FROM t ORDER BY n")).Trim());
        var (unsaid, _, asks) = await node.McpAsync("undeploy", "rows", "--volumes");
        Assert.Equal(2, unsaid);
        Assert.Contains("rows/data", asks, StringComparison.Ordinal);
        await SqlAsync("INSERT INTO t VALUES (3)");
        var removed = NodeFixture.Succeeded(await node.McpAsync("undeploy", "rows", "--volumes", "--yes"));
        Assert.Contains("removed the volume rows/data with its data", removed, StringComparison.Ordinal);
        Assert.Contains("no volumes", NodeFixture.Succeeded(await node.McpAsync("volume", "list", "rows")), StringComparison.Ordinal);
        Assert.False(Directory.Exists(Path.Combine(node.State, "volumes", "rows")));
    }

    [Theory]
    [InlineData("container")]
    [InlineData("microvm")]
    public async Task A_new_volume_has_what_the_image_has_there_with_owners_modes_and_links(string runtime)
    {
        await SeedAsync();
        var file = node.Write("seeded", $$"""
            name = "seeded"
            [[components]]
            name = "web"
            runtime = "{{runtime}}"
            image = "{{node.Image("seed")}}"
            cmd = ["busybox", "sh", "-c", "busybox cat /seed/link; echo mine >> /seed/own; exec busybox httpd -f -p 8080 -h /seed"]
            volumes = ["seed:/lib/seed"]
            stop_grace = "1s"
            health = { http = "/own", interval = "300ms", retries = 100 }
            [[components.routes]]
            name = "http"
            port = 8080
            hostname = "seeded.example.com"
            """.Replace("/seed/", "/lib/seed/", StringComparison.Ordinal).Replace("-h /seed", "-h /lib/seed", StringComparison.Ordinal));
        NodeFixture.Succeeded(await node.McpAsync("deploy", file));
        var volume = Path.Combine(node.State, "volumes", "seeded", "seed");
        Assert.Equal(
            ["7:8 2751 .", "7:9 640 file", "7:9 640 hard", "7:8 777 link", "0:0 700 sub"],
            await StatAsync(volume, ".", "file", "hard", "link", "sub"));
        Assert.Equal("file", new FileInfo(Path.Combine(volume, "link")).LinkTarget);
        Assert.Equal("seeded", (await File.ReadAllTextAsync(Path.Combine(volume, "file"))).Trim());
        Assert.Equal("mine", (await File.ReadAllTextAsync(Path.Combine(volume, "own"))).Trim());
        NodeFixture.Succeeded(await node.McpAsync("deploy", "--force", file));
        Assert.Equal("mine\nmine", (await File.ReadAllTextAsync(Path.Combine(volume, "own"))).Trim());
        Assert.Empty((await node.PodmanAsync("volume", "ls", "-q")).Output.Trim());
        NodeFixture.Succeeded(await node.McpAsync("undeploy", "seeded", "--volumes", "--yes"));
        Assert.False(Directory.Exists(volume));
    }

    private async Task SeedAsync()
    {
        // The way there is a link inside the image.
        var seed = Directory.CreateDirectory(Path.Combine(_root, "usr", "lib", "seed")).FullName;
        Directory.CreateDirectory(Path.Combine(_root, "bin"));
        File.CreateSymbolicLink(Path.Combine(_root, "lib"), "/usr/lib");
        File.Copy("/bin/busybox", Path.Combine(_root, "bin", "busybox"));
        await File.WriteAllTextAsync(Path.Combine(seed, "file"), "seeded\n");
        File.CreateSymbolicLink(Path.Combine(seed, "link"), "file");
        Directory.CreateDirectory(Path.Combine(seed, "sub"));
        await RunAsync("ln", Path.Combine(seed, "file"), Path.Combine(seed, "hard"));
        await RunAsync("chmod", "700", Path.Combine(seed, "sub"));
        await RunAsync("chown", "-h", "7:8", seed, Path.Combine(seed, "link"));
        await RunAsync("chown", "7:9", Path.Combine(seed, "file"));
        await RunAsync("chmod", "640", Path.Combine(seed, "file"));
        await RunAsync("chmod", "2751", seed);
        await RunAsync(Path.Combine(Command.Repository, "scripts", "push-image"), _root, node.Image("seed"), """{"Env":["PATH=/bin"]}""");
    }

    private static async Task<string[]> StatAsync(string directory, params string[] names)
    {
        var lines = new List<string>();
        foreach (var name in names)
            lines.Add((await RunAsync("stat", "--format=%u:%g %a", Path.Combine(directory, name))).Trim() + $" {name}");
        return [.. lines];
    }

    private static async Task<string> RunAsync(string program, params string[] arguments) =>
        NodeFixture.Succeeded(await Command.RunAsync(program, arguments));

    private async Task<string> SqlAsync(string sql) => NodeFixture.Succeeded(await Command.RunAsync(
        "psql",
        ["-h", "127.0.0.1", "-p", $"{_port}", "-U", "app", "-d", "postgres", "-X", "-q", "-t", "-A", "-v", "ON_ERROR_STOP=1", "-c", sql]));

    private string Database(int version) => node.Write("rows", $$"""
        name = "rows"
        [[components]]
        name = "db"
        image = "{{node.Image("postgres-named")}}"
        env = { VERSION = "{{version}}" }
        volumes = ["data:/data"]
        ports = ["127.0.0.1:{{_port}}:5432"]
        health = { exec = ["pg_isready", "-h", "/tmp"], interval = "200ms", timeout = "2s", retries = 100 }
        """);
}
