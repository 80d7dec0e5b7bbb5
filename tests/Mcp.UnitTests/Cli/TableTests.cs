using Google.Protobuf.WellKnownTypes;
using Mcp.Cli.Commands;
using Mcp.Cli.Output;
using Mcp.Model.Names;
using Mcp.Protocol.V1;

namespace Mcp.UnitTests.Cli;

/// <summary>Tables on narrow terminals, and what stands in them.</summary>
public sealed class TableTests
{
    private static readonly Column[] s_columns = ["NAME", new("IMAGE", 2), new("SINCE", 1), new("WHY", Folds: true)];

    private static Table Make(string why = "it is as it was") => new(
        s_columns,
        [["blog", "registry.example.com/blog:v1.4.2", new Cell("3 min", "2026-11-28 16:57:03Z"), why]]);

    [Fact]
    public void No_line_is_wider_than_the_terminal()
    {
        var long40 = string.Join(' ', Enumerable.Repeat("word", 40));
        for (var width = 40; width < 200; width++)
            Assert.All(Make(long40).Lines(width, exact: false, colours: false), line => Assert.InRange(line.Length, 1, width));
    }

    [Fact]
    public void Columns_go_by_their_rank_and_nothing_that_folds_is_lost()
    {
        Assert.Equal(
            ["NAME  IMAGE                             SINCE  WHY", "blog  registry.example.com/blog:v1.4.2  3 min  it is as it was"],
            Make().Lines(80, exact: false, colours: false));
        Assert.Equal(["NAME  SINCE  WHY", "blog  3 min  it is as it was"], Make().Lines(40, exact: false, colours: false));
        Assert.Equal(["NAME  WHY", "blog  it is as it was"], Make().Lines(22, exact: false, colours: false));
        var folded = Make("one two three four five six seven eight").Lines(30, exact: false, colours: false).ToList();
        Assert.Equal(["NAME  WHY", "blog  one two three four five", "      six seven eight"], folded);
    }

    [Fact]
    public void Without_a_terminal_all_columns_and_exact_times_are_there() => Assert.Equal(
        [
            "NAME  IMAGE                             SINCE                 WHY",
            "blog  registry.example.com/blog:v1.4.2  2026-11-28 16:57:03Z  it is as it was",
        ],
        Make().Lines(null, exact: true, colours: false));

    [Theory]
    [InlineData(-5, "0 s")]
    [InlineData(59, "59 s")]
    [InlineData(60, "1 min")]
    [InlineData(3599, "59 min")]
    [InlineData(3600, "1 h")]
    [InlineData(47 * 3600, "47 h")]
    [InlineData(48 * 3600, "2 d")]
    public void An_age_is_in_one_unit(int seconds, string told) => Assert.Equal(told, Cell.Ago(TimeSpan.FromSeconds(seconds)));

    [Theory]
    [InlineData(1, "1st")]
    [InlineData(2, "2nd")]
    [InlineData(3, "3rd")]
    [InlineData(4, "4th")]
    [InlineData(11, "11th")]
    [InlineData(12, "12th")]
    [InlineData(13, "13th")]
    [InlineData(21, "21st")]
    [InlineData(112, "112th")]
    public void Ordinals_end_as_they_are_said(int number, string told) => Assert.Equal(told, Ordinal.Of(number));

    [Fact]
    public void What_was_stopped_on_purpose_is_stopped()
    {
        Assert.Equal("stopped", StatusCommands.State(new ComponentStatus { Desired = "stopped", Observed = "exited" }));
        Assert.Equal("exited", StatusCommands.State(new ComponentStatus { Desired = "running", Observed = "exited" }));
    }

    [Theory]
    [InlineData("none", "left as it is")]
    [InlineData("recreate", "will be created again")]
    [InlineData("restart", "will be started again")]
    [InlineData("stop", "will be stopped")]
    [InlineData("redeploy", "will be replaced")]
    [InlineData("remove", "will be removed")]
    [InlineData("report", "not repaired by itself")]
    [InlineData("of another version", "of another version")]
    public void The_status_says_what_becomes_of_a_difference(string repair, string told)
    {
        var reply = new StatusReply
        {
            Node = "rift",
            Drift = { new Protocol.V1.Drift { Instance = "blog.web.1", What = "is paused", Repair = repair } },
        };
        Assert.Contains($"drift: blog.web.1 is paused ({told})", StatusCommands.Lines(reply, new Printer(Format.Wide)));
    }

    [Fact]
    public void A_runtime_that_nothing_needs_is_a_note_and_no_failure()
    {
        RuntimeStatus[] runtimes =
        [
            new() { Name = "podman", Usable = true, Version = "4" },
            new() { Name = "unikernel", Reason = "no ops", Hint = "install it" },
        ];
        Assert.Equal(["ok", "note"], Checks.Of(runtimes, []).Select(c => c[0]));
        Assert.Equal("runtime container", Checks.Of(runtimes, []).First()[1]);
        Assert.Equal(["ok", "failed"], Checks.Of(runtimes, [new ComponentStatus { Runtime = "unikernel" }]).Select(c => c[0]));
        Assert.Equal(["failed"], Checks.Of(runtimes[1..], []).Select(c => c[0]));
        RuntimeStatus[] broken = [new() { Name = "podman", Reason = "ended" }, new() { Name = "microvm", Usable = true }];
        Assert.Equal(["failed", "ok"], Checks.Of(broken, []).Select(c => c[0]));
        Assert.Equal(["note", "ok"], Checks.Of(broken, [new ComponentStatus { Runtime = "microvm" }]).Select(c => c[0]));
        var node = new Node { Name = "alder", Facts = new NodeStatusReply { Runtimes = { broken }, ProxyFault = "in use" } };
        Assert.Equal(["node alder: runtime container", "node alder: node proxy"], Checks.Bad(node, []).Select(c => c[1]));
        node.Facts.Proxy = true;
        Assert.Empty(Checks.Bad(node, [new ComponentStatus { Node = "alder", Runtime = "microvm" }]));
        Assert.Empty(Checks.Bad(new Node { Name = "alder" }, []));
    }

    [Fact]
    public void An_event_is_one_line()
    {
        var told = EventsCommand.Line(new Event
        {
            Time = Timestamp.FromDateTimeOffset(DateTimeOffset.UnixEpoch),
            Service = "blog",
            Component = "web",
            Kind = "deploy.failed",
            Detail = "it ended\r\n  its last lines:\n\n  | no\n",
        });
        Assert.Equal("1970-01-01 00:00:00Z  deploy.failed       blog/web  it ended; its last lines:; | no", told);
    }
}
