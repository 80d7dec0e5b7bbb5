using Mcp.Agent.Reconcile;
using Mcp.Machine;
using Mcp.Model.Health;
using Mcp.Model.Names;
using Mcp.TestKit.Fakes;
using Microsoft.Extensions.Time.Testing;

namespace Mcp.UnitTests.Agent;

public sealed class RestartKeeperTests
{
    private static readonly TimeSpan s_quiet = TimeSpan.FromMinutes(10);
    private static readonly InstanceName s_web = InstanceName.Parse("blog.web.1");
    private readonly FakeTimeProvider _time = new(new DateTimeOffset(2026, 11, 25, 12, 0, 0, TimeSpan.Zero));

    [Fact]
    public void Restarts_are_forgotten_after_ten_quiet_minutes_also_where_no_other_follows()
    {
        var keeper = Flapping();
        _time.Advance(s_quiet);
        Assert.Equal(RestartBackoff.FlappingFrom, keeper.Count(s_web));
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(0, keeper.Count(s_web));
        Assert.True(keeper.May(s_web, out var count));
        Assert.Equal((1, 1), (count, keeper.Count(s_web)));
    }

    [Fact]
    public void The_pause_between_two_restarts_grows_and_counts_as_no_quiet()
    {
        var keeper = Flapping();
        Assert.False(keeper.May(s_web, out _));
        _time.Advance(RestartBackoff.Pause(RestartBackoff.FlappingFrom - 1) - TimeSpan.FromMilliseconds(1));
        Assert.False(keeper.May(s_web, out _));
        _time.Advance(TimeSpan.FromMilliseconds(1));
        Assert.True(keeper.May(s_web, out var count));
        Assert.Equal(RestartBackoff.FlappingFrom + 1, count);
        Assert.True(RestartBackoff.Longest < s_quiet);
    }

    [Fact]
    public void What_a_person_starts_begins_anew()
    {
        var keeper = Flapping();
        keeper.Forget(s_web);
        Assert.Equal(0, keeper.Count(s_web));
        Assert.True(keeper.May(s_web, out _));
    }

    [Fact]
    public async Task A_component_that_a_person_restarts_is_no_longer_told_as_flapping()
    {
        var directory = Directory.CreateTempSubdirectory("mcp-world").FullName;
        using (var runtime = new FakeRuntime(TimeProvider.System) { Images = { "example.com/hello:v1" } })
        using (var world = new World(directory, runtime, time: _time))
        {
            await world.DeployAsync(World.Service("blog", "v1"));
            for (var i = 0; i < RestartBackoff.FlappingFrom; i++)
            {
                runtime.Kill(s_web, 1);
                await world.Reconciler.MendAsync(dryRun: false, default);
                _time.Advance(RestartBackoff.Longest);
            }

            Assert.Equal(RestartBackoff.FlappingFrom, world.Restarts.Count(s_web));
            await world.Control.RestartAsync(s_web.Service, null, default);
            Assert.Equal(0, world.Restarts.Count(s_web));
        }

        Directory.Delete(directory, recursive: true);
    }

    // Two hours back, while it waits.
    [Fact]
    public void A_clock_that_is_set_changes_no_pause()
    {
        var clock = new SetClock(_time);
        var keeper = new RestartKeeper(new SteadyTime(clock));
        Assert.True(keeper.May(s_web, out _));
        clock.Ahead = TimeSpan.FromHours(-2);
        Assert.False(keeper.May(s_web, out _));
        _time.Advance(RestartBackoff.Pause(0));
        Assert.True(keeper.May(s_web, out _));
        clock.Ahead = TimeSpan.FromHours(2);
        Assert.False(keeper.May(s_web, out _));
        Assert.Equal(2, keeper.Count(s_web));
    }

    private sealed class SetClock(TimeProvider time) : TimeProvider
    {
        public TimeSpan Ahead { get; set; }

        public override long TimestampFrequency => time.TimestampFrequency;

        public override DateTimeOffset GetUtcNow() => time.GetUtcNow() + Ahead;

        public override long GetTimestamp() => time.GetTimestamp();
    }

    private RestartKeeper Flapping()
    {
        var keeper = new RestartKeeper(_time);
        for (var i = 0; i < RestartBackoff.FlappingFrom; i++)
        {
            Assert.True(keeper.May(s_web, out _));
            if (i < RestartBackoff.FlappingFrom - 1)
                _time.Advance(RestartBackoff.Pause(i));
        }

        return keeper;
    }
}
