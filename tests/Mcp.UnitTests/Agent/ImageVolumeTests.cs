using Mcp.Agent.Deploy;
using Mcp.Daemon.Operations;
using Mcp.Model.Definition;
using Mcp.Model.Errors;
using Mcp.Model.Names;
using Mcp.Model.Revisions;
using Mcp.TestKit.Fakes;
using Mcp.TestKit.Faults;

namespace Mcp.UnitTests.Agent;

/// <summary>An image's own VOLUMEs become volumes of the service.</summary>
public sealed class ImageVolumeTests : IDisposable
{
    private static readonly Label s_blog = Label.Parse("blog");
    private readonly string _directory = Directory.CreateTempSubdirectory("mcp-image-volumes").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Theory]
    [InlineData("", "/data", "web_data:/data:image")]
    [InlineData("", "/var/lib/x/", "web_var_lib_x:/var/lib/x:image")]
    [InlineData("", "/b /a", "web_a:/a:image web_b:/b:image")]
    [InlineData("own:/data", "/data/ /other", "own:/data web_other:/other:image")]
    [InlineData("/srv:/data:ro", "/data", "/srv:/data:ro")]
    [InlineData("none:/data", "/data", "none:/data")]
    [InlineData("", "/ relative /a/../b /x:y", "")]
    [InlineData("old:/gone:image", "/data", "web_data:/data:image")]
    [InlineData("web_data:/backup", "/data", "web_data:/backup web_data-bd47413b:/data:image")]
    public void What_nothing_is_mounted_on_becomes_a_volume(string own, string declared, string all)
    {
        var component = Web(own);
        var with = ImageVolumes.With(component, declared.Split(' '));
        Assert.Equal(all, string.Join(' ', with.Volumes));
        Assert.Equal(with.Volumes, RevisionCodec.Component(RevisionCodec.Write(with)).Volumes);
        Assert.Equal(RevisionCodec.Write(component.AsAsked), RevisionCodec.Write(with.AsAsked));
    }

    [Fact]
    public void No_two_paths_or_components_have_one_name_and_each_name_is_one()
    {
        var paths = new[] { "/a/b", "/a_b", "/a-b", "/a b", "/é", "/" + new string('x', 80), "/" + new string('x', 81), "/a/_b" };
        var names = new[] { "web", "web-a" }
            .SelectMany(c => ImageVolumes.With(Web("") with { Name = Label.Parse(c) }, paths).Volumes)
            .Select(v => v.Source)
            .ToList();
        Assert.Equal(2 * paths.Length, names.Distinct().Count());
        Assert.All(names, n => Assert.True(VolumePaths.IsName(n), n));
    }

    [Fact]
    public void A_unikernel_has_none() =>
        Assert.Empty(ImageVolumes.With(Web("") with { Runtime = RuntimeKind.Unikernel }, ["/data"]).Volumes);

    [Fact]
    public void A_file_cannot_say_what_only_a_node_says()
    {
        var e = Assert.Throws<ServiceFileException>(() => ServiceFile.Parse(
            """
            name = "blog"
            [[components]]
            name = "web"
            image = "x.lan/y:1"
            volumes = ["web_data:/data:image"]
            """,
            "test"));
        Assert.Contains("web_data:/data:image", e.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(
            "image\"]",
            ServiceFileWriter.Write(new ServiceDefinition { Name = s_blog, Components = [Web("web_data:/data:image")] }),
            StringComparison.Ordinal);
    }

    [Fact]
    public void A_node_keeps_what_was_asked_for_also_where_it_added_volumes()
    {
        var asked = new ServiceDefinition { Name = s_blog, Components = [Web("")] };
        var kept = Revision.Of(asked with { Components = [ImageVolumes.With(Web(""), ["/data"])] });
        Assert.True(kept.IsSame(Revision.Of(asked)));
        Assert.Equal(Revision.Of(asked), kept.AsAsked());
        Assert.False(kept.IsSame(Revision.Of(asked with { Components = [Web("own:/data")] })));
    }

    [Fact]
    public async Task It_is_planned_kept_and_told_and_an_unchanged_file_changes_nothing()
    {
        using var runtime = Runtime();
        using var world = new World(_directory, runtime);
        var file = World.Service("blog", "v1", "");
        var plan = await world.Rollouts.PlanAsync(file, DeployOptions.Default, default);
        Assert.Equal("new; its image's VOLUME is kept: /data in the volume web_data", Assert.Single(plan.Changes).Why);
        await world.DeployAsync(file);
        Assert.Equal("first", await File.ReadAllTextAsync(Path.Combine(Volumes, "web_data", "one")));
        Assert.False(await world.Deployer.DeployAsync(file, DeployOptions.Default, null, default));
        Assert.False(await world.Deployer.DeployAsync(file, new DeployOptions(IfChanged: true), null, default));

        var next = await world.Rollouts.PlanAsync(World.Service("blog", "v2", ""), DeployOptions.Default, default);
        var change = Assert.Single(next.Changes);
        Assert.True(change.StopsFirst);
        Assert.Equal(
            "changed; stops first: only one instance at a time may write to the volume web_data; "
                + "its image's VOLUME is kept: /data in the volume web_data; the new image's files there are hidden",
            change.Why);
        await world.DeployAsync(World.Service("blog", "v2", ""));
        await world.DeployAsync(World.Service("blog", "v3", ""));
        Assert.Empty(Assert.Single(world.Registry.Components.List()).Definition.Volumes);
        Assert.Equal("first", await File.ReadAllTextAsync(Path.Combine(Volumes, "web_data", "one")));
    }

    // Of a version that knew nothing of it, or an image that had none when it was deployed.
    [Fact]
    public async Task What_is_kept_stays_without_until_it_is_replaced()
    {
        using var runtime = Runtime();
        runtime.Declared.Clear();
        using var world = new World(_directory, runtime);
        var file = World.Service("blog", "v1", "");
        await world.DeployAsync(file);
        runtime.Declared["example.com/hello:v1"] = ["/data"];
        Assert.False(await world.Deployer.DeployAsync(file, DeployOptions.Default, null, default));
        await world.Deployer.DeployAsync(file, new DeployOptions(Force: true), null, default);
        Assert.Equal("web_data:/data:image", string.Join(' ', Assert.Single(world.Registry.Components.List()).Definition.Volumes));
    }

    [Fact]
    public async Task What_only_a_pull_shows_is_planned_anew_and_with_an_agreed_plan_refused()
    {
        using var runtime = Runtime();
        runtime.Silent = true;
        using var world = new World(_directory, runtime);
        var file = World.Service("blog", "v1", "");
        var blind = (await world.Rollouts.PlanAsync(file, DeployOptions.Default, default)).Id;
        var e = await Assert.ThrowsAsync<StepFailedException>(
            () => world.Deployer.DeployAsync(file, DeployOptions.Default with { Plan = blind }, null, default));
        Assert.Equal(ErrorCode.ImageVolumes, e.Reason.Code);
        Assert.Empty(world.Registry.Components.List());
        runtime.Forget();
        await world.DeployAsync(file);
        Assert.Equal("web_data:/data:image", string.Join(' ', Assert.Single(world.Registry.Components.List()).Definition.Volumes));
    }

    [Fact]
    public async Task Beside_its_old_instance_it_is_not_updated()
    {
        using var runtime = Runtime();
        using var world = new World(_directory, runtime);
        var file = World.Service("blog", "v1", "update = \"beside\"");
        var e = await Assert.ThrowsAsync<McpException>(() => world.DeployAsync(file));
        Assert.Equal(ErrorCode.VolumeHeld, e.Code);
        Assert.Empty(await runtime.ListAsync(default));
        await world.DeployAsync(World.Service("blog", "v1", "update = \"beside\"\nvolumes = [\"none:/data\"]"));
        await world.DeployAsync(World.Service("blog", "v2", "update = \"beside\"\nvolumes = [\"none:/data\"]"));
    }

    [Fact]
    public Task A_kill_anywhere_on_the_way_leaves_one_instance_with_its_volume() =>
        FaultMatrix.RunAsync(Fault.Kill, atLeast: 6, async point =>
        {
            using var runtime = Runtime();
            var directory = Directory.CreateDirectory(Path.Combine(_directory, $"{point.Number}")).FullName;
            using var before = new World(directory, runtime);
            await before.DeployAsync(World.Service("blog", "v1", ""));
            await File.WriteAllTextAsync(Path.Combine(directory, "volumes", "blog", "web_data", "mine"), "mine");
            runtime.Hook = point.Hook;
            if (!await point.BreaksAsync(() => before.DeployAsync(World.Service("blog", "v2", ""))))
                return;
            runtime.Hook = _ => Task.CompletedTask;
            using var after = new World(directory, runtime);
            await after.RecoverAsync();
            await after.DeployAsync(World.Service("blog", "v2", ""));
            Assert.Single(await runtime.ListAsync(default));
            Assert.Equal("mine", await File.ReadAllTextAsync(Path.Combine(directory, "volumes", "blog", "web_data", "mine")));
        });

    private string Volumes => Path.Combine(_directory, "volumes", "blog");

    private static FakeRuntime Runtime()
    {
        var runtime = new FakeRuntime(TimeProvider.System);
        foreach (var tag in (string[])["v1", "v2", "v3"])
            runtime.Images.Add($"example.com/hello:{tag}");
        runtime.Declared["example.com/hello:v1"] = ["/data"];
        runtime.Declared["example.com/hello:v2"] = ["/data/"];
        runtime.Contents[("example.com/hello:v1", "/data")] = new() { ["one"] = "first" };
        return runtime;
    }

    private static ComponentDefinition Web(string volumes) => new()
    {
        Name = Label.Parse("web"),
        Image = ImageReference.Parse("x.lan/y:1"),
        Volumes = [.. volumes.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(Mount)],
    };

    private static VolumeMount Mount(string text) => VolumePaths.TryParse(text, out var mount) ? mount : throw new FormatException(text);
}
