using Mcp.Agent.Deploy;
using Mcp.Daemon.Operations;
using Mcp.Model.Names;
using Mcp.TestKit.Fakes;

namespace Mcp.UnitTests.Agent;

/// <summary>A tag that is pushed again changes nothing that nobody asked for.</summary>
public sealed class KeptImagesTests : IDisposable
{
    private const string Image = "example.com/hello:v1";
    private readonly string _directory = Directory.CreateTempSubdirectory("mcp-kept").FullName;
    private readonly FakeRuntime _runtime = new(TimeProvider.System) { Images = { Image }, Pushed = { [Image] = "one" } };

    public void Dispose()
    {
        _runtime.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    [Fact]
    public async Task A_component_keeps_its_image_until_it_is_pulled()
    {
        using var world = new World(_directory, _runtime);
        await DeployAsync(world, DeployOptions.Default);
        _runtime.Pushed[Image] = "two";
        await DeployAsync(world, new DeployOptions(Force: true));
        Assert.Equal("one", MadeOf(2));
        await DeployAsync(world, new DeployOptions { Pull = [Label.Parse("web")] });
        Assert.Equal("two", MadeOf(3));
        await DeployAsync(world, DeployOptions.Default);
        Assert.Equal(["blog.web.3"], await world.RunningAsync());
    }

    [Fact]
    public async Task A_registry_is_asked_once_where_the_plan_finds_that_there_is_nothing_to_pull()
    {
        using var world = new World(_directory, _runtime);
        await DeployAsync(world, DeployOptions.Default);
        var pulls = new DeployOptions { Pull = [Label.Parse("web")], Force = true };
        await DeployAsync(world, pulls);
        Assert.Equal("one", MadeOf(2));
        _runtime.Pushed[Image] = "two";
        await DeployAsync(world, pulls);
        _runtime.Silent = true;
        await DeployAsync(world, pulls);
        Assert.Equal([new(Ask: true), new(Ask: true), new(Ask: true)], _runtime.Wishes);
        Assert.Equal("two", MadeOf(3));
    }

    [Fact]
    public async Task An_instance_that_is_lost_is_made_anew_of_its_own_image_also_after_a_deploy_that_failed()
    {
        using (var world = new World(_directory, _runtime))
        {
            await DeployAsync(world, DeployOptions.Default);
            _runtime.Pushed[Image] = "two";
            _runtime.Crashing.Add("web");
            await Assert.ThrowsAsync<StepFailedException>(() => DeployAsync(world, new DeployOptions { Pull = [Label.Parse("web")] }));
            _runtime.Crashing.Clear();
        }

        using var again = new World(_directory, _runtime);
        var instance = InstanceName.Parse("blog.web.1");
        await _runtime.RemoveAsync(instance, default);
        _runtime.MadeOf.Clear();
        await again.RecoverAsync();
        Assert.Equal("one", MadeOf(1));
    }

    private static Task<bool> DeployAsync(World world, DeployOptions options) =>
        world.Deployer.DeployAsync(World.Service("blog", "v1"), options, null, default);

    private string MadeOf(int generation) => _runtime.MadeOf[InstanceName.Parse($"blog.web.{generation}")];
}
