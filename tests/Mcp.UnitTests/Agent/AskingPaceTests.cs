using Mcp.Agent.Probes;
using Mcp.Model.Names;
using Mcp.TestKit.Fakes;

namespace Mcp.UnitTests.Agent;

/// <summary>What starts slower than its first question, and faster than its interval, does not wait for that.</summary>
public sealed class AskingPaceTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("mcp-pace").FullName;
    private readonly FakeRuntime _runtime = new(TimeProvider.System) { Images = { "example.com/hello:v1" } };

    public void Dispose()
    {
        _runtime.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    [Fact]
    public async Task One_that_gets_well_soon_is_deployed_and_started_soon()
    {
        using var world = new World(_directory, _runtime);
        var limit = TimeSpan.FromSeconds(20);
        const string check = "health = { http = \"/\", port = 8080, interval = \"60s\", retries = 3 }";
        await SoonWell(() => world.DeployAsync(World.Service("blog", "v1", check))).WaitAsync(limit);
        await SoonWell(() => world.Control.RestartAsync(Label.Parse("blog"), null, default)).WaitAsync(limit);
    }

    [Theory]
    [InlineData(1, 25)]
    [InlineData(200, 25)]
    [InlineData(2_000, 25)]
    [InlineData(600_000, 250)]
    public void The_first_questions_take_less_than_one_interval_and_then_it_is_the_interval(int interval, int soonest)
    {
        var pace = new AskingPace(TimeSpan.FromMilliseconds(interval), TimeSpan.FromMilliseconds(soonest));
        for (var times = 0; times < 2; times++)
        {
            var sum = TimeSpan.Zero;
            while (!pace.IsSteady)
                sum += pace.Next();
            Assert.InRange(sum.TotalMilliseconds, 0, interval);
            Assert.Equal(interval, pace.Next().TotalMilliseconds);
            Assert.Equal(interval, pace.Next().TotalMilliseconds);
            pace.Begin();
        }
    }

    // Asked at least once before.
    private async Task SoonWell(Func<Task> act)
    {
        _runtime.Sick.Add("web");
        var acting = act();
        await Task.Delay(100);
        _runtime.Sick.Remove("web");
        await acting;
    }
}
