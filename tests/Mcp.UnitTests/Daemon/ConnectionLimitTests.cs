using System.Net;
using Mcp.Daemon.Doors;
using Microsoft.Extensions.Time.Testing;

namespace Mcp.UnitTests.Daemon;

public class ConnectionLimitTests
{
    private readonly FakeTimeProvider _time = new();
    private readonly List<string> _told = [];
    private readonly List<int> _ended = [];

    [Fact]
    public void What_asks_nothing_makes_room_the_silent_first_and_what_works_stays()
    {
        var limit = New(3, null);
        var working = Enter(limit, "10.0.0.1", 1)!;
        working.Begin();
        var idle = Enter(limit, "10.0.0.2", 2)!;
        idle.Begin();
        idle.End();
        _time.Advance(TimeSpan.FromSeconds(1));
        Enter(limit, "10.0.0.3", 3);
        Assert.NotNull(Enter(limit, "10.0.0.4", 4));
        Assert.Equal([3], _ended);
        var fifth = Enter(limit, "10.0.0.5", 5)!;
        Assert.Equal([3, 4], _ended);
        fifth.Begin();
        Assert.NotNull(Enter(limit, "10.0.0.6", 6));
        Assert.Equal([3, 4, 2], _ended);
        Assert.Equal(3, limit.Count);
        Assert.Contains("full with 3 connections", Assert.Single(_told), StringComparison.Ordinal);
    }

    [Fact]
    public void Machines_of_a_private_network_are_sources_of_their_own()
    {
        var limit = New(100, 1);
        Assert.NotNull(Enter(limit, "fd7a:115c:a1e0::1", 1));
        Assert.NotNull(Enter(limit, "fd7a:115c:a1e0::2", 2));
        Assert.NotNull(Enter(limit, "fc00::1", 3));
        Assert.NotNull(Enter(limit, "fc00::2", 4));
        Assert.Empty(_ended);
        Enter(limit, "fd7a:115c:a1e0::1", 5);
        Assert.Equal([1], _ended);
    }

    [Fact]
    public void What_a_stranger_asks_makes_room_too_after_what_has_never_asked()
    {
        var limit = New(2, null);
        Enter(limit, "10.0.0.1", 1)!.Ask();
        Enter(limit, "10.0.0.2", 2);
        Assert.NotNull(Enter(limit, "10.0.0.3", 3));
        Assert.Equal([2], _ended);
        Enter(limit, "10.0.0.4", 4)!.Begin();
        Enter(limit, "10.0.0.5", 5)!.Begin();
        Assert.Equal([2, 3, 1], _ended);
    }

    [Fact]
    public void Where_all_are_at_work_a_new_one_is_refused_until_one_leaves()
    {
        var limit = New(2, null);
        var one = Enter(limit, "10.0.0.1", 1)!;
        var two = Enter(limit, "10.0.0.1", 2)!;
        one.Begin();
        two.Begin();
        Assert.Null(Enter(limit, "10.0.0.2", 3));
        one.Dispose();
        Assert.NotNull(Enter(limit, "10.0.0.2", 4));
        Assert.Empty(_ended);
    }

    [Fact]
    public void One_source_is_an_ipv4_address_or_64_bits_of_ipv6_and_does_not_push_others_out()
    {
        var limit = New(100, 2);
        Enter(limit, "2001:db8:0:1::1", 1);
        Enter(limit, "2001:db8:0:1:ffff::2", 2);
        Enter(limit, "2001:db8:0:2::1", 3);
        Enter(limit, "2001:db8:0:1::3", 4);
        Assert.Equal([1], _ended);
        Enter(limit, "::ffff:10.0.0.1", 5);
        Enter(limit, "10.0.0.1", 6);
        Enter(limit, "10.0.0.2", 7);
        Enter(limit, "10.0.0.1", 8);
        Assert.Equal([1, 5], _ended);
    }

    [Fact]
    public void Who_never_asks_is_sent_away_and_who_has_asked_stays()
    {
        var limit = New(10, null, TimeSpan.FromSeconds(20));
        Enter(limit, "10.0.0.1", 1);
        var asked = Enter(limit, "10.0.0.1", 2)!;
        asked.Begin();
        asked.End();
        for (var i = 0; i < 6; i++)
            _time.Advance(TimeSpan.FromSeconds(5));
        Assert.Equal([1], _ended);
        Assert.Equal(1, limit.Count);
    }

    [Fact]
    public void That_it_is_full_is_told_once_in_ten_minutes()
    {
        var limit = New(1, null);
        for (var i = 0; i < 1000; i++)
            Enter(limit, "10.0.0.1", i);
        Assert.Single(_told);
        _time.Advance(TimeSpan.FromMinutes(10));
        Enter(limit, "10.0.0.1", 1);
        Assert.Equal(2, _told.Count);
    }

    private ConnectionLimit New(int most, int? ofOneSource, TimeSpan? silence = null) =>
        new("test", most, ofOneSource, silence, _told.Add, _time);

    private ConnectionSlot? Enter(ConnectionLimit limit, string from, int number) =>
        limit.Enter(IPAddress.Parse(from), () => _ended.Add(number));
}
