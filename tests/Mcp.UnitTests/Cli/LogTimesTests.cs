using Mcp.Cli.Commands;
using Mcp.Model.Errors;

namespace Mcp.UnitTests.Cli;

public sealed class LogTimesTests
{
    private static readonly DateTimeOffset s_now = new(2026, 11, 28, 12, 0, 0, TimeSpan.Zero);
    private static readonly TimeZoneInfo s_zone = TimeZoneInfo.CreateCustomTimeZone("test", TimeSpan.FromHours(2), "test", "test");

    [Theory]
    [InlineData("10m", "2026-11-28T11:50:00Z")]
    [InlineData("2h", "2026-11-28T10:00:00Z")]
    [InlineData("2026-11-27", "2026-11-26T22:00:00Z")]
    [InlineData("2026-11-27 14:00", "2026-11-27T12:00:00Z")]
    [InlineData("2026-11-27 14:00:05", "2026-11-27T12:00:05Z")]
    [InlineData("2026-11-27T14:00:05", "2026-11-27T12:00:05Z")]
    [InlineData("2026-11-27T14:00:05Z", "2026-11-27T14:00:05Z")]
    [InlineData("2026-11-27T14:00:05.250+01:00", "2026-11-27T13:00:05.250Z")]
    [InlineData("2026-11-27 14:00:05-05:00", "2026-11-27T19:00:05Z")]
    [InlineData("2026-11-27T14:00:05.250", "2026-11-27T12:00:05.250Z")]
    [InlineData("2026-11-27T14:00:05.123456789Z", "2026-11-27T14:00:05.1234567Z")]
    public void A_time_is_a_duration_before_now_or_a_date(string text, string expected) => Assert.Equal(
        DateTimeOffset.Parse(expected, System.Globalization.CultureInfo.InvariantCulture),
        LogTimes.Parse("--since", text, s_now, s_zone, isEnd: false));

    [Fact]
    public void Of_an_hour_that_comes_twice_the_first_begins_and_the_last_ends()
    {
        var rule = TimeZoneInfo.AdjustmentRule.CreateAdjustmentRule(
            DateTime.MinValue.Date,
            DateTime.MaxValue.Date,
            TimeSpan.FromHours(1),
            TimeZoneInfo.TransitionTime.CreateFixedDateRule(new DateTime(1, 1, 1, 2, 0, 0), 3, 29),
            TimeZoneInfo.TransitionTime.CreateFixedDateRule(new DateTime(1, 1, 1, 3, 0, 0), 10, 25));
        var zone = TimeZoneInfo.CreateCustomTimeZone("summer", TimeSpan.FromHours(1), "summer", "winter", "summer", [rule]);
        Assert.Equal(TimeSpan.FromHours(2), LogTimes.Parse("--since", "2026-10-25 02:30", s_now, zone, isEnd: false).Offset);
        Assert.Equal(TimeSpan.FromHours(1), LogTimes.Parse("--until", "2026-10-25 02:30", s_now, zone, isEnd: true).Offset);
    }

    [Theory]
    [InlineData("")]
    [InlineData("yesterday")]
    [InlineData("10")]
    [InlineData("-10m")]
    [InlineData("2026-13-01")]
    [InlineData("2026-11-27 25:00")]
    [InlineData("27.11.2026")]
    [InlineData("0001-01-01")]
    public void Anything_else_is_an_error_that_says_what_is_allowed(string text)
    {
        var e = Assert.Throws<McpException>(() => LogTimes.Parse("--until", text, s_now, s_zone, isEnd: true));
        Assert.Equal(ErrorCode.Usage, e.Code);
        Assert.StartsWith("--until: ", e.Message, StringComparison.Ordinal);
        Assert.Contains("2026-11-27 14:00", e.Hint, StringComparison.Ordinal);
    }
}
