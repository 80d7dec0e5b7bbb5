using System.Text.Json;
using Mcp.IntegrationTests.Hosts;

namespace Mcp.IntegrationTests.Agent;

/// <summary>Twelve versions on a node with a podman store of its own: which images stay.</summary>
[Collection("node")]
public sealed class ImagesTests(NodeFixture node) : IAsyncLifetime
{
    private const int Versions = 12;
    private readonly string _name = $"img{Guid.NewGuid().ToString("N")[..6]}";

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        await node.McpAsync("undeploy", _name);
        await node.McpAsync("images", "prune");
    }

    [Fact]
    public async Task Of_twelve_versions_the_last_three_stay_whatever_is_pruned_by_hand_and_a_restart_and_a_way_back_work()
    {
        // Somebody else's: never touched.
        await PushAsync("theirs");
        NodeFixture.Succeeded(await node.PodmanAsync("pull", "--tls-verify=false", node.Image($"{_name}-theirs")));
        for (var i = 1; i <= Versions; i++)
            await DeployAsync(i);
        Assert.Equal(Versions, (await PodmanTagsAsync()).Count(t => t != "theirs"));

        var dry = NodeFixture.Succeeded(await node.McpAsync("images", "prune", "--dry-run"));
        Assert.Contains($"{_name}-v1 ", dry, StringComparison.Ordinal);
        Assert.Equal(Versions, (await PodmanTagsAsync()).Count(t => t != "theirs"));
        var told = NodeFixture.Succeeded(await node.McpAsync("images", "prune"));
        Assert.Contains("removed, up to", told, StringComparison.Ordinal);
        Assert.Equal(["theirs", "v10", "v11", "v12"], await PodmanTagsAsync());
        Assert.Contains("images.removed", NodeFixture.Succeeded(await node.McpAsync("events")), StringComparison.Ordinal);
        var listed = await ListAsync();
        Assert.Equal([$"{_name}/web", $"release 12 of {_name}"], listed[node.Image($"{_name}-v12")]);
        Assert.Equal([$"release 11 of {_name}"], listed[node.Image($"{_name}-v11")]);
        Assert.Empty(listed.GetValueOrDefault(node.Image($"{_name}-theirs")) ?? []);

        // A tag that is pushed again leaves the image before without a name, but for ours.
        await PushAsync("v11", "again");
        NodeFixture.Succeeded(await node.PodmanAsync("pull", "--tls-verify=false", node.Image($"{_name}-v11")));
        var before = await OwnNameAsync(11);
        NodeFixture.Succeeded(await node.PodmanAsync("image", "prune", "-f"));
        Assert.Equal(before, await OwnNameAsync(11));

        NodeFixture.Succeeded(await node.McpAsync("stop", _name));
        NodeFixture.Succeeded(await node.PodmanAsync("image", "prune", "-a", "-f"));
        NodeFixture.Succeeded(await node.McpAsync("start", _name));
        await NodeFixture.UntilAsync(async () => await node.GetAsync(_name) == "v12", "it serves again");
        NodeFixture.Succeeded(await node.PodmanAsync("rm", "-f", "-t", "0", $"{_name}.web.{Versions}"));
        NodeFixture.Succeeded(await node.PodmanAsync("image", "prune", "-a", "-f"));
        await NodeFixture.UntilAsync(async () => (await node.ContainersAsync(_name)).Length == 1, "it is made anew");
        await DeployAsync(10);
        Assert.Equal("v10", await node.GetAsync(_name));
    }

    [Fact]
    public async Task What_a_container_of_somebody_else_uses_or_gave_a_name_stays()
    {
        for (var i = 1; i <= 5; i++)
            await DeployAsync(i);
        NodeFixture.Succeeded(await node.PodmanAsync("create", "--name", $"{_name}-cron", node.Image($"{_name}-v1")));
        NodeFixture.Succeeded(await node.PodmanAsync("tag", node.Image($"{_name}-v2"), $"localhost/{_name}:mine"));
        NodeFixture.Succeeded(await node.McpAsync("images", "prune"));
        Assert.Equal(["v1", "v2", "v3", "v4", "v5"], await PodmanTagsAsync());
        Assert.Equal([$"container {_name}-cron"], (await ListAsync())[node.Image($"{_name}-v1")]);
        NodeFixture.Succeeded(await node.PodmanAsync("rm", $"{_name}-cron"));
        NodeFixture.Succeeded(await node.PodmanAsync("untag", $"localhost/{_name}:mine", $"localhost/{_name}:mine"));
        NodeFixture.Succeeded(await node.McpAsync("images", "prune"));
        Assert.Equal(["v3", "v4", "v5"], await PodmanTagsAsync());
    }

    [Fact]
    public async Task An_agent_that_is_killed_in_the_middle_of_a_prune_goes_on_with_it()
    {
        for (var i = 1; i <= 8; i++)
            await DeployAsync(i);
        using (var prune = node.StartMcp("images", "prune"))
        {
            await NodeFixture.UntilAsync(async () => (await PodmanTagsAsync()).Length < 8, "an image is gone");
            await node.KillAgentAsync();
            await prune.WaitForExitAsync();
        }

        node.StartAgent();
        await NodeFixture.UntilAsync(async () => (await node.McpAsync("images", "prune")).ExitCode == 0, "the agent is back");
        Assert.Equal(["v6", "v7", "v8"], await PodmanTagsAsync());
        Assert.Equal("v8", await node.GetAsync(_name));
        Assert.Empty(NodeFixture.Succeeded(await node.PodmanAsync("images", "-q", "--filter", "dangling=true")).Trim());
    }

    private async Task DeployAsync(int version)
    {
        await PushAsync($"v{version}");
        NodeFixture.Succeeded(await node.McpAsync("deploy", node.WriteService(_name, $"{_name}-v{version}")));
    }

    private async Task PushAsync(string version, string? text = null) => NodeFixture.Succeeded(await Command.RunAsync(
        Path.Combine(Command.Repository, "scripts", "sample-image"), [node.Image($"{_name}-{version}"), text ?? version]));

    private async Task<string[]> PodmanTagsAsync()
    {
        var names = "";
        // podman lists nothing at all while an image is being removed.
        await NodeFixture.UntilAsync(
            async () =>
            {
                var (exitCode, output, _) = await node.PodmanAsync("images", "--format", "{{.Repository}}:{{.Tag}}");
                names = output;
                return exitCode == 0;
            },
            "podman lists its images");
        var prefix = node.Image($"{_name}-");
        return [.. names.Split('\n').Where(n => n.StartsWith(prefix, StringComparison.Ordinal)).Select(n => n[prefix.Length..]).Order()];
    }

    private async Task<string> OwnNameAsync(int generation) => NodeFixture.Succeeded(
        await node.PodmanAsync("image", "inspect", "--format", "{{.Id}}", $"mcp.invalid/{_name}/web:{generation}"));

    // Users by image.
    private async Task<Dictionary<string, string[]>> ListAsync()
    {
        using var reply = JsonDocument.Parse(NodeFixture.Succeeded(await node.McpAsync("images", "-o", "json")));
        return reply.RootElement.GetProperty("images").EnumerateArray()
            .Where(i => i.TryGetProperty("image", out _))
            .GroupBy(i => i.GetProperty("image").GetString()!)
            .ToDictionary(
                g => g.Key,
                g => g.SelectMany(i => i.TryGetProperty("used_by", out var by) ? by.EnumerateArray().Select(b => b.GetString()!) : [])
                    .ToArray());
    }
}
