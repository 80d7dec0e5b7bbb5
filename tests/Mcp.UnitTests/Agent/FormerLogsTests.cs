using Mcp.Model.Instances;
using Mcp.Model.Names;

namespace Mcp.UnitTests.Agent;

public sealed class FormerLogsTests
{
    private static readonly DateTimeOffset s_now = new(2026, 11, 28, 12, 0, 0, TimeSpan.Zero);

    [Fact]
    public void Three_generations_stay_besides_those_that_are_there() =>
        Assert.Equal(
            ["a.web.3", "a.web.2", "a.web.1"],
            Gone(["a.web.6"], TimeSpan.FromDays(100), Enumerable.Range(1, 7).Select(g => $"a.web.{g}")));

    [Fact]
    public void Of_what_the_node_has_no_more_they_stay_for_a_day()
    {
        Assert.Empty(Gone(["a.web.1"], TimeSpan.FromHours(23), ["b.web.1", "a.db.1"]));
        Assert.Equal(["b.web.1", "a.db.1"], Gone(["a.web.1"], TimeSpan.FromHours(25), ["b.web.1", "a.db.1", "a.web.1"]));
    }

    [Fact]
    public void Of_a_service_that_failed_again_and_again_three_stay() =>
        Assert.Equal(["a.web.2", "a.web.1"], Gone([], TimeSpan.Zero, Enumerable.Range(1, 5).Select(g => $"a.web.{g}")));

    [Fact]
    public void Empty_ones_do_not_count_and_go_after_a_minute()
    {
        (InstanceName, DateTimeOffset, long)[] logged =
        [
            .. Enumerable.Range(1, 3).Select(g => (InstanceName.Parse($"a.web.{g}"), s_now.AddHours(-1), 10L)),
            .. Enumerable.Range(4, 3).Select(g => (InstanceName.Parse($"a.web.{g}"), s_now.AddHours(-1), 0L)),
            (InstanceName.Parse("a.web.7"), s_now.AddSeconds(-30), 0L),
        ];
        Assert.Equal(
            ["a.web.4", "a.web.5", "a.web.6"],
            FormerLogs.Gone(logged, new HashSet<InstanceName> { InstanceName.Parse("a.web.8") }, s_now).Select(n => n.ToString()));
    }

    private static List<string> Gone(string[] there, TimeSpan age, IEnumerable<string> logged) =>
    [
        .. FormerLogs.Gone(
            logged.Select(n => (InstanceName.Parse(n), s_now - age, 1L)),
            there.Select(InstanceName.Parse).ToHashSet(),
            s_now).Select(n => n.ToString()),
    ];
}
