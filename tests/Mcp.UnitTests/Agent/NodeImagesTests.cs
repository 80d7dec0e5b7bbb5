using Mcp.Agent.Deploy;
using Mcp.Daemon.Operations;
using Mcp.Model.Errors;
using Mcp.Model.Events;
using Mcp.Model.Names;
using Mcp.TestKit.Fakes;
using Microsoft.Extensions.Time.Testing;

namespace Mcp.UnitTests.Agent;

/// <summary>Which images of a node stay while services are deployed, and what a kill in between leaves.</summary>
public sealed class NodeImagesTests : IDisposable
{
    private const string Prefix = "example.com/hello:";
    private readonly string _directory = Directory.CreateTempSubdirectory("mcp-images").FullName;
    private readonly FakeTimeProvider _time = new(new DateTimeOffset(2026, 11, 28, 12, 0, 0, TimeSpan.Zero));
    private readonly FakeRuntime _runtime = new(TimeProvider.System);
    private readonly FakeStock _stock = new();

    public NodeImagesTests()
    {
        for (var i = 1; i <= 12; i++)
        {
            _runtime.Images.Add($"{Prefix}v{i}");
            _runtime.Pushed[$"{Prefix}v{i}"] = $"id{i}";
        }

        // As podman does: what is pulled is in the store from then on.
        _runtime.Pulled = (reference, id) => _stock.Add(id, 1 << 20, reference);
    }

    public void Dispose()
    {
        _runtime.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    [Fact]
    public async Task The_last_three_releases_stay_and_the_rest_goes_after_a_week()
    {
        using var world = World();
        await DeployAllAsync(world, 12);
        await world.Images.RoundAsync(default);
        Assert.Equal(12, (await IdsAsync()).Length);
        _time.Advance(TimeSpan.FromDays(6));
        await world.Images.RoundAsync(default);
        Assert.Equal(12, (await IdsAsync()).Length);
        _time.Advance(TimeSpan.FromDays(1) + TimeSpan.FromMinutes(1));
        await world.Images.RoundAsync(default);
        Assert.Equal(["id10", "id11", "id12"], await IdsAsync());
        var told = Assert.Single(world.Registry.Events.Of([EventKind.ImagesRemoved]));
        Assert.StartsWith("9 images, up to 9 MiB (not needed for 7 days): ", told.Detail, StringComparison.Ordinal);
        // Nothing goes twice.
        await world.Images.RoundAsync(default);
        Assert.Single(world.Registry.Events.Of([EventKind.ImagesRemoved]));
    }

    [Fact]
    public async Task A_prune_takes_at_once_what_nobody_needs_and_only_says_so_where_it_is_a_dry_run()
    {
        using var world = World();
        _stock.Add("theirs", 5, "docker.io/library/redis:7");
        await DeployAllAsync(world, 5);
        var dry = await world.Images.PruneAsync(dryRun: true, default);
        Assert.Equal(["id1", "id2"], dry.Gone.Select(g => g.Image.Id));
        Assert.Equal(6, (await IdsAsync()).Length);
        var done = await world.Images.PruneAsync(dryRun: false, default);
        Assert.Equal(["id1", "id2"], done.Gone.Select(g => g.Image.Id));
        Assert.Equal(2 << 20, done.Bytes);
        Assert.Equal(["id3", "id4", "id5", "theirs"], await IdsAsync());
        Assert.Empty((await world.Images.PruneAsync(dryRun: false, default)).Gone);
    }

    [Fact]
    public async Task Each_kept_image_has_names_of_mcps_and_loses_them_with_its_release()
    {
        using var world = World();
        await DeployAllAsync(world, 4);
        Assert.Equal(["blog/web:4"], await OwnNamesAsync("id4"));
        await world.Images.RoundAsync(default);
        Assert.Equal(["blog/web:2"], await OwnNamesAsync("id2"));
        Assert.Empty(await OwnNamesAsync("id1"));
        var fates = (await world.Images.ListAsync(default)).Fates.ToDictionary(f => f.Image.Id);
        Assert.Equal(["blog/web", "release 4 of blog"], fates["id4"].UsedBy);
        Assert.Equal(["release 2 of blog"], fates["id2"].UsedBy);
        Assert.Empty(fates["id1"].UsedBy);
        Assert.Equal(_time.GetUtcNow().AddDays(7), fates["id1"].Goes);
    }

    [Fact]
    public async Task A_tag_that_was_pushed_again_keeps_all_that_it_meant_in_the_last_three_releases()
    {
        using var world = World();
        for (var i = 1; i <= 5; i++)
        {
            _runtime.Pushed[$"{Prefix}v1"] = $"push{i}";
            await world.Deployer.DeployAsync(
                Agent.World.Service("blog", "v1"), new DeployOptions { Pull = [Label.Parse("web")] }, null, default);
        }

        await world.Images.PruneAsync(dryRun: false, default);
        Assert.Equal(["push3", "push4", "push5"], await IdsAsync());
    }

    [Fact]
    public async Task What_a_failed_deploy_pulled_goes_and_pushes_no_release_out()
    {
        using var world = World();
        await DeployAllAsync(world, 3);
        _runtime.Crashing.Add("web");
        await Assert.ThrowsAsync<StepFailedException>(() => world.DeployAsync(Agent.World.Service("blog", "v4")));
        _runtime.Crashing.Clear();
        await world.Images.PruneAsync(dryRun: false, default);
        Assert.Equal(["id1", "id2", "id3"], await IdsAsync());
    }

    [Fact]
    public async Task What_an_undeployed_service_had_goes()
    {
        using var world = World();
        await DeployAllAsync(world, 2);
        await world.Undeployer.UndeployAsync(Label.Parse("blog"), default);
        await world.Images.PruneAsync(dryRun: false, default);
        Assert.Empty(await IdsAsync());
    }

    [Fact]
    public async Task Rows_of_components_that_are_gone_go_with_the_last_release_that_had_them()
    {
        using var world = World();
        await DeployAllAsync(world, 6);
        Assert.Equal(6, world.Registry.KeptImages.List().Count);
        await world.Images.RoundAsync(default);
        Assert.Equal([6, 5, 4], world.Registry.KeptImages.List().Select(k => k.Instance.Generation));
    }

    [Fact]
    public async Task What_somebody_builds_after_a_failed_pull_is_not_mcps()
    {
        using var world = World();
        await Assert.ThrowsAsync<StepFailedException>(() => world.DeployAsync(Agent.World.Service("blog", "v99")));
        _stock.Add("built", 5, $"{Prefix}v99");
        _runtime.Images.Add($"{Prefix}v99");
        _runtime.Pushed[$"{Prefix}v99"] = "built";
        await world.Images.RoundAsync(default);
        await world.DeployAsync(Agent.World.Service("blog", "v99"));
        await world.Undeployer.UndeployAsync(Label.Parse("blog"), default);
        await world.Images.PruneAsync(dryRun: false, default);
        Assert.Equal(["built"], await IdsAsync());
    }

    [Fact]
    public async Task Where_podman_gives_no_list_deploys_go_on_and_nothing_counts_as_mcps()
    {
        using var world = World();
        _stock.NoList = new McpException(ErrorCode.PodmanFailed, "cannot list the images: layer not known");
        await DeployAllAsync(world, 2);
        _stock.NoList = null;
        await world.Undeployer.UndeployAsync(Label.Parse("blog"), default);
        await world.Images.PruneAsync(dryRun: false, default);
        Assert.Equal(["id1", "id2"], await IdsAsync());
    }

    [Fact]
    public async Task What_was_there_before_mcp_pulled_it_is_not_mcps()
    {
        using var world = World();
        _stock.Add("id1", 1, $"{Prefix}v1");
        await DeployAllAsync(world, 5);
        await world.Images.PruneAsync(dryRun: false, default);
        Assert.Equal(["id1", "id3", "id4", "id5"], await IdsAsync());
    }

    [Fact]
    public async Task A_pull_that_was_killed_is_known_as_mcps_all_the_same()
    {
        var dead = new TaskCompletionSource();
        using (var world = World())
        {
            _runtime.Pulled = (reference, id) =>
            {
                _stock.Add(id, 1, reference);
                dead.SetResult();
                throw new McpException(ErrorCode.ImagePull, "killed", "");
            };
            await Assert.ThrowsAsync<StepFailedException>(() => world.DeployAsync(Agent.World.Service("blog", "v1")));
        }

        await dead.Task;
        Assert.Equal(["id1"], await IdsAsync());
        using var again = World();
        await again.Images.PruneAsync(dryRun: false, default);
        Assert.Empty(await IdsAsync());
        Assert.Empty(again.Registry.Images.Pulls());
    }

    [Fact]
    public async Task A_kill_in_the_middle_of_a_prune_is_gone_on_from()
    {
        using (var world = World())
        {
            await DeployAllAsync(world, 6);
            _stock.Hook = id => id == "id2" ? new TaskCompletionSource().Task : Task.CompletedTask;
            _ = world.Images.PruneAsync(dryRun: false, default);
            while ((await IdsAsync()).Contains("id1"))
                await Task.Yield();
        }

        _stock.Hook = _ => Task.CompletedTask;
        using var again = World();
        await again.Images.PruneAsync(dryRun: false, default);
        Assert.Equal(["id4", "id5", "id6"], await IdsAsync());
        Assert.Equal(["id4", "id5", "id6"], again.Registry.Images.List().Select(b => b.Id));
    }

    [Fact]
    public async Task Two_prunes_at_once_remove_each_image_once()
    {
        using var world = World();
        await DeployAllAsync(world, 8);
        var both = await Task.WhenAll(world.Images.PruneAsync(false, default), world.Images.PruneAsync(false, default));
        Assert.Equal(["id1", "id2", "id3", "id4", "id5"], both.SelectMany(b => b.Gone).Select(g => g.Image.Id).Order());
    }

    [Fact]
    public async Task A_store_that_does_not_answer_is_told_and_nothing_is_forgotten()
    {
        using var world = World();
        await DeployAllAsync(world, 5);
        _stock.Mute = new McpException(ErrorCode.PodmanFailed, "podman is away", "");
        await world.Images.RoundAsync(default);
        Assert.Equal(["podman is away"], (await world.Images.ListAsync(default)).Silent);
        Assert.Equal(["podman is away"], (await world.Images.PruneAsync(false, default)).Failed);
        _stock.Mute = null;
        Assert.Equal(2, (await world.Images.PruneAsync(false, default)).Gone.Count);
    }

    [Fact]
    public async Task An_image_that_was_removed_between_pull_and_start_is_pulled_once_more()
    {
        using var world = World();
        var pulls = 0;
        _runtime.Pulled = (_, _) => pulls++;
        _runtime.Hook = what => what == "run" && pulls == 1
            ? throw new McpException(ErrorCode.ImageGone, "removed", "")
            : Task.CompletedTask;
        await world.DeployAsync(Agent.World.Service("blog", "v1"));
        Assert.Equal(2, pulls);
        Assert.Equal(["blog.web.1"], await world.RunningAsync());
    }

    private World World() => new(_directory, _runtime, time: _time, stock: _stock);

    private static async Task DeployAllAsync(World world, int versions)
    {
        for (var i = 1; i <= versions; i++)
            await world.DeployAsync(Agent.World.Service("blog", $"v{i}"));
    }

    private async Task<string[]> IdsAsync() => [.. await _stock.IdsAsync(default)];

    private async Task<IReadOnlyList<string>> OwnNamesAsync(string id) =>
        (await _stock.ListAsync(default)).Single(i => i.Id == id).OwnNames;
}
