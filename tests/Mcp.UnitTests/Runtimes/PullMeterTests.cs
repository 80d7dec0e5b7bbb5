using Mcp.Model.Names;
using Mcp.Runtimes.Images;
using Microsoft.Extensions.Time.Testing;

namespace Mcp.UnitTests.Runtimes;

/// <summary>How far a download is.</summary>
public sealed class PullMeterTests
{
    private const long MiB = 1024 * 1024;
    private readonly FakeTimeProvider _time = new();
    private readonly List<string> _told = [];

    [Fact]
    public void It_is_told_once_a_second_with_bytes_percent_and_rate()
    {
        var meter = Meter(40 * MiB);
        meter.At("a", MiB);
        Assert.Empty(_told);
        Later(1);
        meter.At("b", 3 * MiB);
        meter.At("b", 4 * MiB);
        Later(1);
        meter.At("a", 6 * MiB);
        Assert.Equal(["x.lan/y:1: 4.0 of 40.0 MiB, 10 %, 4.0 MiB/s", "x.lan/y:1: 10.0 of 40.0 MiB, 25 %, 5.0 MiB/s"], _told);
    }

    [Fact]
    public void The_rate_is_that_of_the_last_seconds()
    {
        var meter = Meter(0);
        for (var i = 1; i <= 10; i++)
        {
            Later(1);
            meter.At("a", 10 * MiB);
        }

        Assert.Equal("x.lan/y:1: 10.0 MiB, 10.0 MiB/s", _told[0]);
        Assert.Equal("x.lan/y:1: 10.0 MiB, 0.0 MiB/s", _told[^1]);
    }

    // A connection broke, and the part is begun anew; or its size was not the truth.
    [Fact]
    public void What_becomes_less_or_more_than_all_is_no_nonsense()
    {
        var meter = Meter(2 * MiB);
        Later(1);
        meter.At("a", 2 * MiB);
        Later(1);
        meter.At("a", 0);
        Later(1);
        meter.At("a", 3 * MiB);
        Assert.Equal(
            [
                "x.lan/y:1: 2.0 of 2.0 MiB, 100 %, 2.0 MiB/s",
                "x.lan/y:1: 0.0 of 2.0 MiB, 0 %, 0.0 MiB/s",
                "x.lan/y:1: 3.0 MiB, 1.0 MiB/s",
            ],
            _told);
    }

    private PullMeter Meter(long total) => new(ImageReference.Parse("x.lan/y:1"), total, new Told(_told), _time);

    private void Later(int seconds) => _time.Advance(TimeSpan.FromSeconds(seconds));

    private sealed class Told(List<string> told) : IProgress<string>
    {
        public void Report(string value) => told.Add(value);
    }
}
