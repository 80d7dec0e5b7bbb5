using Mcp.Model.Definition;
using Mcp.TestKit.Fakes;

namespace Mcp.UnitTests.Agent;

/// <summary>An old instance ends as its own definition says, not as the new one does.</summary>
public sealed class LeavingTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("mcp-leaving").FullName;
    private readonly FakeRuntime _runtime = new(TimeProvider.System) { Images = { "example.com/hello:v1", "example.com/hello:v2" } };

    [Theory]
    [InlineData("", 10)]
    [InlineData("volumes = [\"/tmp:/data\"]", 60)]
    [InlineData("volumes = [\"/tmp:/data:shared\"]", 60)]
    [InlineData("volumes = [\"/tmp:/data:ro\"]", 10)]
    [InlineData("volumes = [\"/tmp:/data\"]\nstop_grace = \"7s\"", 7)]
    [InlineData("stop_grace = \"5m\"", 300)]
    public async Task It_is_stopped_with_its_own_grace(string lines, int seconds)
    {
        using var world = new World(_directory, _runtime);
        await world.DeployAsync(World.Service("blog", "v1", lines));
        await world.DeployAsync(World.Service("blog", "v2", "stop_grace = \"1s\""));
        Assert.Equal([TimeSpan.FromSeconds(seconds)], _runtime.Graces);
    }

    [Theory]
    [InlineData("", 10)]
    [InlineData("drain = \"3s\"", 3)]
    [InlineData("drain = \"2m\"\nupdate = \"stop-first\"", 120)]
    public async Task It_is_drained_for_as_long_as_it_says(string lines, int seconds)
    {
        using var world = new World(_directory, _runtime);
        await world.DeployAsync(World.Service("blog", "v1", lines));
        await world.DeployAsync(World.Service(
            "blog",
            "v2",
            $"drain = \"1s\"{(lines.Contains("stop-first", StringComparison.Ordinal) ? "\nupdate = \"stop-first\"" : "")}"));
        // One that stops first has ended when it is looked at again.
        Assert.Equal(TimeSpan.FromSeconds(seconds), world.Proxy.Drains[0]);
    }

    [Fact]
    public void What_is_left_out_is_not_written()
    {
        var usual = ServiceFileWriter.Write(World.Service("blog", "v1", "drain = \"10s\""));
        Assert.DoesNotContain("drain", usual, StringComparison.Ordinal);
        var own = ServiceFileWriter.Write(World.Service("blog", "v1", "drain = \"3s\"\nstop_grace = \"10s\""));
        Assert.Contains("stop_grace = \"10s\"\ndrain = \"3s\"\n", own, StringComparison.Ordinal);
    }

    [Fact]
    public void A_service_says_how_long_stopping_it_may_take()
    {
        var service = World.Service("blog", "v1", "drain = \"3s\"\nstop_grace = \"10m\"");
        Assert.Equal(TimeSpan.FromSeconds(3 + 600 + 60), service.StopsWithin);
    }

    public void Dispose()
    {
        _runtime.Dispose();
        Directory.Delete(_directory, recursive: true);
    }
}
