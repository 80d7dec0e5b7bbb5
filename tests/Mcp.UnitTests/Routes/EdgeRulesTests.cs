using System.Net;
using Mcp.Model.Errors;
using Mcp.Model.Names;
using Mcp.Model.Placement;
using Mcp.Model.Routes;

namespace Mcp.UnitTests.Routes;

/// <summary>The edge's decisions.</summary>
public sealed class EdgeRulesTests
{
    private static readonly DateTimeOffset s_now = new(2026, 11, 24, 12, 0, 0, TimeSpan.Zero);

    [Theory]
    [InlineData("100.64.0.1", true)]
    [InlineData("100.127.255.254", true)]
    [InlineData("fd7a:115c:a1e0::1", true)]
    [InlineData("100.128.0.1", false)]
    [InlineData("127.0.0.1", false)]
    [InlineData("169.254.169.254", false)]
    [InlineData("10.0.0.1", false)]
    [InlineData("::1", false)]
    [InlineData("::ffff:100.64.0.1", true)]
    [InlineData("::ffff:127.0.0.1", false)]
    [InlineData("64:ff9b::7f00:1", false)]
    public void An_address_lies_in_the_overlay_or_not(string address, bool inside) =>
        Assert.Equal(inside, OverlayRange.Usual.Contains(IPAddress.Parse(address)));

    [Fact]
    public void One_address_outside_spoils_them_all_and_none_is_no_answer()
    {
        var outside = Assert.Throws<McpException>(() => OverlayRange.Usual.Insist(
            "a.mcp.internal",
            [IPAddress.Parse("100.64.0.1"), IPAddress.Loopback]));
        Assert.Equal((ErrorCode.EdgeOutside, "a.mcp.internal is 127.0.0.1, which is not in the overlay"), (outside.Code, outside.Message));
        Assert.Equal(ErrorCode.EdgeBackend, Assert.Throws<McpException>(() => OverlayRange.Usual.Insist("a.mcp.internal", [])).Code);
        // However the server turns them, the order is one.
        Assert.Equal(
            ["100.64.0.1", "100.64.0.2"],
            OverlayRange.Usual.Insist("a", [IPAddress.Parse("100.64.0.2"), IPAddress.Parse("100.64.0.1"), IPAddress.Parse("100.64.0.2")])
                .Select(a => a.ToString()));
    }

    [Fact]
    public void A_hostname_goes_to_the_edge_node_with_the_fewest_and_stays()
    {
        var host = Host("a.example.com");
        EdgeCandidate[] nodes =
        [
            Edge("fir", routes: 1),
            Edge("elder", routes: 1),
            Edge("gorse", routes: 0, reachable: false),
            Edge("hazel", routes: 0, serves: false),
        ];
        Assert.Equal("elder", EdgePlacer.Place(host, nodes, null).Text);
        Assert.Equal("fir", EdgePlacer.Place(host, nodes, Label.Parse("fir")).Text);
        Assert.Equal("gorse", EdgePlacer.Place(host, nodes, Label.Parse("gorse")).Text);
        // Its node is none any more.
        Assert.Equal("elder", EdgePlacer.Place(host, nodes, Label.Parse("removed")).Text);
        Assert.Contains(
            "no node of this fleet has the role edge",
            Assert.Throws<McpException>(() => EdgePlacer.Place(host, [], null)).Message,
            StringComparison.Ordinal);
        var none = Assert.Throws<McpException>(() => EdgePlacer.Place(host, nodes[2..], null));
        Assert.Equal("no edge node can have a.example.com: gorse is unreachable; hazel has no [edge] in its agent.toml", none.Message);
    }

    [Fact]
    public void A_ca_is_asked_at_once_the_first_time_and_below_its_limits_ever_after()
    {
        Assert.True(IssuancePace.Next([], asked: false) <= s_now);
        Assert.True(IssuancePace.Next(Failed(1, 2, 3), asked: true) <= s_now);
        // Four failures within an hour: the oldest of them has to be an hour ago.
        Assert.Equal(s_now.AddMinutes(-30).AddHours(1), IssuancePace.Next(Failed(5, 10, 20, 30), asked: true));
        Assert.Equal(
            s_now.AddDays(-5).AddDays(7),
            IssuancePace.Next([.. new[] { 1, 2, 3, 5 }.Select(d => new IssuanceAttempt(s_now.AddDays(-d), true))], asked: true));
        // By itself: 5 minutes, doubled with each failure in a row, at most 12 hours.
        Assert.Equal(s_now.AddMinutes(-1).AddMinutes(5), IssuancePace.Next(Failed(1), asked: false));
        Assert.Equal(s_now.AddMinutes(-1).AddMinutes(20), IssuancePace.Next(Failed(1, 100, 200), asked: false));
        Assert.Equal(
            s_now.AddMinutes(-1).AddHours(12),
            IssuancePace.Next(Failed([1, .. Enumerable.Range(10, 20).Select(d => d * 100)]), asked: false));
        Assert.True(
            IssuancePace.Next(
                [new IssuanceAttempt(s_now.AddMinutes(-2), false), new IssuanceAttempt(s_now.AddMinutes(-1), true)],
                asked: false) <= s_now);
    }

    [Fact]
    public void However_long_it_fails_a_ca_never_hears_of_a_hostname_five_times_an_hour()
    {
        var (attempts, now) = (new List<IssuanceAttempt>(), s_now);
        for (var minute = 0; minute < 3 * 24 * 60; minute++, now = now.AddMinutes(1))
        {
            if (IssuancePace.Next(attempts, asked: minute % 3 != 0) <= now)
                attempts.Add(new IssuanceAttempt(now, false));
        }

        Assert.All(
            attempts,
            a => Assert.True(attempts.Count(b => b.Time >= a.Time && b.Time < a.Time.AddHours(1)) <= IssuancePace.FailuresAnHour));
    }

    private static Hostname Host(string text) => Hostname.TryParse(text, out var host) ? host : throw new ArgumentException(text);

    private static EdgeCandidate Edge(string name, int routes, bool reachable = true, bool serves = true) =>
        new(Label.Parse(name), reachable, serves, routes);

    private static List<IssuanceAttempt> Failed(params int[] minutesAgo) =>
        [.. minutesAgo.Select(m => new IssuanceAttempt(s_now.AddMinutes(-m), false))];
}
