using Mcp.IntegrationTests.Hosts;
using Mcp.Model.Definition;
using Mcp.Model.Errors;
using Mcp.Model.Instances;
using Mcp.Model.Names;
using Mcp.Runtimes.Podman;

namespace Mcp.IntegrationTests.Agent;

/// <summary>An image's own VOLUME, with real images, containers and microvms.</summary>
[Collection("node")]
public sealed class ImageVolumeTests(NodeFixture node) : IAsyncLifetime
{
    private const string Service = "kept";
    private readonly string _root = Directory.CreateTempSubdirectory("mcp-volume").FullName;

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        await node.McpAsync("undeploy", Service, "--volumes", "--yes");
        Directory.Delete(_root, recursive: true);
        Assert.Empty(await VolumesAsync());
    }

    [Theory]
    [InlineData("container")]
    [InlineData("microvm")]
    public async Task What_was_written_there_outlives_the_instance(string runtime)
    {
        await PushAsync("volume-1", "one", "/srv/data");
        await PushAsync("volume-2", "two", "/srv/data");
        var first = File("volume-1", $"runtime = \"{runtime}\"");
        Assert.Contains(
            "new; its image's VOLUME is kept: /srv/data in the volume web_srv_data",
            await SaysAsync("plan", first),
            StringComparison.Ordinal);
        await SaysAsync("deploy", first);
        // From the image, and the program's own line.
        Assert.Equal("one", await ReadAsync("seed"));
        await WrittenAsync(1);
        Assert.Contains("nothing changed", await SaysAsync("deploy", first), StringComparison.Ordinal);
        Assert.DoesNotContain("volumes", await SaysAsync("service", "show", Service), StringComparison.Ordinal);

        var second = File("volume-2", $"runtime = \"{runtime}\"");
        var plan = await SaysAsync("plan", second);
        Assert.Contains("stops first", plan, StringComparison.Ordinal);
        Assert.Contains("the new image's files there are hidden", plan, StringComparison.Ordinal);
        await SaysAsync("deploy", second);
        Assert.Equal("one", await ReadAsync("seed"));
        await WrittenAsync(2);
        await SaysAsync("restart", Service);
        await WrittenAsync(3);
        Assert.Matches("kept +web_srv_data .*kept.web", await SaysAsync("volume", "list", Service));

        await SaysAsync("undeploy", Service);
        await SaysAsync("deploy", first);
        await WrittenAsync(4);
        Assert.Empty(await VolumesAsync());
    }

    [Fact]
    public async Task With_none_nothing_is_kept_and_nothing_is_left_over()
    {
        await PushAsync("volume-none", "one", "/srv/data", "/srv/other");
        var file = File("volume-none", "volumes = [\"none:/srv/data\"]");
        await SaysAsync("deploy", file);
        Assert.Equal(["web_srv_other"], Named());
        var before = Assert.Single(await VolumesAsync());
        await SaysAsync("deploy", "--force", file);
        Assert.NotEqual(before, Assert.Single(await VolumesAsync()));
        Assert.Equal(["web_srv_other"], Named());
    }

    [Fact]
    public async Task Nobody_mounts_over_what_the_file_mounts_itself()
    {
        await PushAsync("volume-own", "one", "/srv/data/");
        await SaysAsync("deploy", File("volume-own", "volumes = [\"own:/srv/data\"]"));
        Assert.Equal(["own"], Named());
        Assert.Empty(await VolumesAsync());
    }

    [Fact]
    public async Task An_update_beside_the_old_instance_is_refused_before_anything_is_touched()
    {
        await PushAsync("volume-beside", "one", "/srv/data");
        var (code, _, said) = await node.McpAsync("deploy", File("volume-beside", "update = \"beside\""));
        Assert.Equal(1, code);
        Assert.Contains("its image has a VOLUME /srv/data", said, StringComparison.Ordinal);
        Assert.Contains("none:/srv/data", said, StringComparison.Ordinal);
        Assert.Empty(await node.ContainersAsync(Service));
        await SaysAsync("deploy", File("volume-beside", "update = \"beside\"\nvolumes = [\"own:/srv/data:shared\"]"));
    }

    // As versions before 0.3 made them: podman gave it a volume without a name.
    [Fact]
    public async Task What_a_container_of_an_older_version_wrote_there_goes_along_also_after_an_undone_deploy()
    {
        await PushAsync("volume-old", "one", "/srv/data");
        await PushAsync("volume-new", "two", "/srv/data");
        await PushAsync("volume-bad", "three", "/srv/data", ends: true);
        const string program = "echo mine >> /srv/data/own; exec sleep 1000";
        var image = node.Image("volume-old");
        var body = $$"""{"schema":1,"name":"web","image":"{{image}}","cmd":["sh","-c","{{program}}"],"stop_grace":"1s"}""";
        NodeFixture.Succeeded(await node.PodmanAsync(
            "run", "-d", "--tls-verify=false", "--name", "kept.web.1",
            "--label", "mcp.service=kept", "--label", "mcp.component=web", "--label", "mcp.generation=1", "--label", "mcp.spec=1",
            "--label", $"mcp.image={image}", "--label", $"mcp.definition={body}",
            image, "sh", "-c", program));
        var made = Assert.Single(await VolumesAsync());
        try
        {
            await SaysAsync("adopt", Service);
            var (failed, _, _) = await node.McpAsync("deploy", File("volume-bad", "watch = \"5s\""));
            Assert.Equal(1, failed);
            Assert.Equal(["kept.web.1"], await node.ContainersAsync(Service));
            // It has run on, and written.
            await SaysAsync("deploy", File("volume-new", "watch = \"1s\""));
            Assert.Equal("one", await ReadAsync("seed"));
            await WrittenAsync(3);
            await SaysAsync("deploy", "--force", File("volume-new", "watch = \"1s\""));
            await WrittenAsync(4);
            Assert.Equal([made], await VolumesAsync());
        }
        finally
        {
            await node.PodmanAsync("rm", "-f", "-t", "0", "kept.web.1");
            await node.PodmanAsync("volume", "rm", made);
        }
    }

    // As after a reboot, when podman has forgotten that it ran.
    [Fact]
    public async Task A_container_of_an_older_version_that_is_made_anew_keeps_what_it_wrote()
    {
        await PushAsync("volume-remade", "one", "/srv/data");
        NodeFixture.Succeeded(await node.PodmanAsync(
            "create", "--tls-verify=false", "--name", "remade.web.1", node.Image("volume-remade")));
        var made = Assert.Single(await VolumesAsync());
        var at = (await node.PodmanAsync("volume", "inspect", "--format", "{{.Mountpoint}}", made)).Output.Trim();
        await System.IO.File.WriteAllTextAsync(Path.Combine(at, "own"), "before\n");
        using var runtime = new PodmanRuntime(new PodmanOptions { Socket = Path.Combine(node.State, "podman.sock"), StartService = false });
        var name = InstanceName.Parse("remade.web.1");
        var component = new ComponentDefinition { Name = name.Component, Image = ImageReference.Parse(node.Image("volume-remade")) };
        var spec = new InstanceSpec(name, component, "spec", new Dictionary<string, string>(), []);
        try
        {
            await runtime.RunAsync(spec, default);
            Assert.Equal([made], await VolumesAsync());
            await NodeFixture.UntilAsync(
                async () => await System.IO.File.ReadAllTextAsync(Path.Combine(at, "own")) == "before\nmine\n", "it writes there");
            var next = new InstanceName(name.Service, name.Component, 2);
            Assert.Equal(
                ErrorCode.VolumeHeld,
                (await Assert.ThrowsAsync<McpException>(() => runtime.FormerAsync(next, "/srv/data", default))).Code);
            await runtime.StopAsync(name, TimeSpan.FromSeconds(1), default);
            Assert.Equal(at, (await runtime.FormerAsync(next, "/srv/data", default))?.Directory);
        }
        finally
        {
            await runtime.RemoveAsync(name, default);
            Assert.Equal([made], await VolumesAsync());
            await node.PodmanAsync("volume", "rm", made);
        }
    }

    private string File(string image, string extra) => node.Write(Service, $$"""
        name = "kept"
        [[components]]
        name = "web"
        image = "{{node.Image(image)}}"
        {{extra}}
        stop_grace = "1s"
        health = { exec = ["busybox", "test", "-s", "/srv/data/own"], interval = "200ms", timeout = "3s", retries = 100 }
        """);

    private async Task PushAsync(string tag, string seed, params string[] volumes) => await PushAsync(tag, seed, volumes, ends: false);

    private Task PushAsync(string tag, string seed, string volume, bool ends) => PushAsync(tag, seed, [volume], ends);

    private async Task PushAsync(string tag, string seed, string[] volumes, bool ends)
    {
        var root = Directory.CreateDirectory(Path.Combine(_root, tag)).FullName;
        Directory.CreateDirectory(Path.Combine(root, "bin"));
        var data = Directory.CreateDirectory(Path.Combine(root, "srv", "data")).FullName;
        System.IO.File.Copy("/bin/busybox", Path.Combine(root, "bin", "busybox"));
        System.IO.File.CreateSymbolicLink(Path.Combine(root, "bin", "sh"), "busybox");
        System.IO.File.CreateSymbolicLink(Path.Combine(root, "bin", "sleep"), "busybox");
        await System.IO.File.WriteAllTextAsync(Path.Combine(data, "seed"), $"{seed}\n");
        var program = $"echo mine >> /srv/data/own; sleep {(ends ? 1 : 1000)}";
        var declared = "{" + string.Join(',', volumes.Select(v => $"\"{v}\":{{}}")) + "}";
        var config = $$"""{"Env":["PATH=/bin"],"Entrypoint":["sh","-c","{{program}}"],"Volumes":{{declared}}}""";
        NodeFixture.Succeeded(await Command.RunAsync(
            Path.Combine(Command.Repository, "scripts", "push-image"), [root, node.Image(tag), config]));
    }

    private string[] Named() => [.. Directory.EnumerateDirectories(Path.Combine(node.State, "volumes", Service))
        .Select(d => Path.GetFileName(d)!)
        .Where(n => n[0] != '.')
        .Order()];

    private async Task<string> ReadAsync(string name) =>
        (await System.IO.File.ReadAllTextAsync(Path.Combine(node.State, "volumes", Service, "web_srv_data", name))).Trim();

    // The health check is content with what an earlier instance wrote: it may be ahead of this one's line.
    private async Task WrittenAsync(int lines)
    {
        var expected = string.Join('\n', Enumerable.Repeat("mine", lines));
        await NodeFixture.UntilAsync(async () => await ReadAsync("own") == expected, $"{lines} lines are written, no more");
    }

    private async Task<string> SaysAsync(params string[] arguments) => NodeFixture.Succeeded(await node.McpAsync(arguments));

    private async Task<string[]> VolumesAsync() =>
        (await node.PodmanAsync("volume", "ls", "-q")).Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
}
