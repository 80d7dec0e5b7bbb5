using Mcp.IntegrationTests.Hosts;
using Mcp.Model.Names;
using Mcp.Runtimes;
using Mcp.Runtimes.Podman;

namespace Mcp.IntegrationTests.Runtimes;

/// <summary>A registry that podman pulls from as from any in the world, only without TLS, and slowly.</summary>
[Collection("node")]
public sealed class PullTests(NodeFixture node) : IAsyncLifetime
{
    private const int Bytes = 6 * 1024 * 1024;
    private readonly string _root = Directory.CreateTempSubdirectory("mcp-pull").FullName;
    private readonly SlowWay _way = new(node.StrangePort, node.RegistryPort, Bytes / 3);

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        await node.McpAsync("undeploy", "far", "--volumes", "--yes");
        await _way.DisposeAsync();
        Directory.Delete(_root, recursive: true);
    }

    [Fact]
    public async Task What_has_come_is_told_while_it_comes()
    {
        await PushAsync("far-bytes", "{}");
        using var runtime = new PodmanRuntime(new PodmanOptions
        {
            Socket = Path.Combine(node.State, "podman.sock"),
            StartService = false,
            PullLimit = TimeSpan.FromMinutes(1),
        });
        var told = new Told();
        await runtime.PullAsync(Image("far-bytes"), new ImageWish(Ask: true), told, default);
        Assert.Contains(told.All, t => System.Text.RegularExpressions.Regex.IsMatch(t, @"far-bytes: \d\.\d MiB, \d+\.\d MiB/s$"));
        var e = await Assert.ThrowsAsync<Mcp.Model.Errors.McpException>(
            () => runtime.PullAsync(Image("far-missing"), new ImageWish(Ask: true), told, default));
        Assert.Equal(Mcp.Model.Errors.ErrorCode.ImagePull, e.Code);
        Assert.Contains("manifest unknown", e.Message, StringComparison.Ordinal);
    }

    // Our own client asks it over TLS and gets no answer.
    [Fact]
    public async Task A_VOLUME_that_only_the_pull_shows_is_kept_all_the_same()
    {
        await PushAsync("far-volume", "{\"/srv/data\":{}}");
        var file = node.Write("far", $$"""
            name = "far"
            [[components]]
            name = "web"
            image = "{{Image("far-volume")}}"
            stop_grace = "1s"
            health = { exec = ["/bin/busybox", "test", "-s", "/srv/data/own"], interval = "200ms", timeout = "3s", retries = 100 }
            """);
        NodeFixture.Succeeded(await node.McpAsync("deploy", file));
        NodeFixture.Succeeded(await node.McpAsync("deploy", "--force", file));
        Assert.Equal(
            "mine\nmine\n", await File.ReadAllTextAsync(Path.Combine(node.State, "volumes", "far", "web_srv_data", "own")));
    }

    private ImageReference Image(string tag) => ImageReference.Parse($"0.0.0.0:{node.StrangePort}/hello:{tag}");

    private async Task PushAsync(string tag, string volumes)
    {
        Directory.CreateDirectory(Path.Combine(_root, "bin"));
        Directory.CreateDirectory(Path.Combine(_root, "srv", "data"));
        File.Copy("/bin/busybox", Path.Combine(_root, "bin", "busybox"), overwrite: true);
        var random = new byte[Bytes];
        Random.Shared.NextBytes(random);
        await File.WriteAllBytesAsync(Path.Combine(_root, "random"), random);
        var program = "[\"/bin/busybox\",\"sh\",\"-c\",\"echo mine >> /srv/data/own; exec /bin/busybox sleep 1000\"]";
        NodeFixture.Succeeded(await Command.RunAsync(
            Path.Combine(Command.Repository, "scripts", "push-image"),
            [_root, node.Image(tag), $$"""{"Env":["PATH=/bin"],"Entrypoint":{{program}},"Volumes":{{volumes}}}"""]));
    }

    private sealed class Told : IProgress<string>
    {
        public List<string> All { get; } = [];

        public void Report(string value) => All.Add(value);
    }
}
