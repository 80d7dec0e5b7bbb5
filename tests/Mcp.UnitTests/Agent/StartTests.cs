using Mcp.Model.Errors;
using Mcp.Model.Instances;
using Mcp.Model.Names;
using Mcp.TestKit.Fakes;

namespace Mcp.UnitTests.Agent;

/// <summary>"Started" means that it is well.</summary>
public sealed class StartTests : IDisposable
{
    private static readonly Label s_blog = Label.Parse("blog");
    private readonly string _directory = Directory.CreateTempSubdirectory("mcp-start").FullName;
    private readonly FakeRuntime _runtime = new(TimeProvider.System) { Images = { "example.com/hello:v1" } };

    public void Dispose()
    {
        _runtime.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task What_is_well_has_started(bool again)
    {
        using var world = new World(_directory, _runtime);
        await world.DeployAsync(World.Service("blog", "v1", Check(3)));
        if (!again)
            await world.Control.StopAsync(s_blog, null, default);
        var done = again
            ? await world.Control.RestartAsync(s_blog, null, default)
            : await world.Control.StartAsync(s_blog, null, default);
        Assert.Equal([again ? "restarted blog.web.1" : "started blog.web.1"], done);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task What_does_not_get_well_is_told_and_stays_wanted(bool again)
    {
        using var world = new World(_directory, _runtime);
        await world.DeployAsync(World.Service("blog", "v1", Check(3)));
        await world.Control.StopAsync(s_blog, null, default);
        _runtime.Sick.Add("web");
        var told = await Assert.ThrowsAsync<McpException>(() => again
            ? world.Control.RestartAsync(s_blog, null, default)
            : world.Control.StartAsync(s_blog, null, default));
        Assert.Equal(ErrorCode.HealthFailed, told.Code);
        Assert.Contains(again ? "restarted blog.web.1" : "started blog.web.1", told.Message, StringComparison.Ordinal);
        Assert.Contains("HTTP 500", told.Message, StringComparison.Ordinal);
        Assert.Equal(DesiredState.Running, Assert.Single(world.Registry.Components.List()).Desired);
        Assert.Equal(["blog.web.1"], await world.RunningAsync());
    }

    [Fact]
    public async Task What_ends_is_told_with_its_exit_code()
    {
        using var world = new World(_directory, _runtime);
        await world.DeployAsync(World.Service("blog", "v1", "restart = \"no\"\n" + Check(100)));
        await world.Control.StopAsync(s_blog, null, default);
        _runtime.Crashing.Add("web");
        var told = await Assert.ThrowsAsync<McpException>(() => world.Control.StartAsync(s_blog, null, default));
        Assert.Contains("blog.web.1 ended with exit code 1 before it was well", told.Message, StringComparison.Ordinal);
    }

    private static string Check(int retries) => $"health = {{ http = \"/\", port = 8080, interval = \"20ms\", retries = {retries} }}";
}
