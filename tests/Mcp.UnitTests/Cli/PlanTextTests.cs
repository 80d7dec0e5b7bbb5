using Mcp.Agent.Rpc;
using Mcp.Cli.Output;
using Mcp.Daemon.Identity;
using Mcp.Model.Definition;
using Mcp.Model.Deploy;
using Mcp.Model.Names;
using Mcp.Protocol.V1;

namespace Mcp.UnitTests.Cli;

/// <summary>What <c>mcp plan</c> prints, from the plan as an agent makes it.</summary>
public sealed class PlanTextTests
{
    private const int Width = 80;

    private const string Before = """
        name = "notes"
        [[components]]
        name = "db"
        image = "x.lan/notes:1"
        env = { LOG_LEVEL = "info", DB_PASSWORD = "hunter2" }
        volumes = ["/srv/notes:/data"]
        health = { http = "/", port = 8080 }
        [[components]]
        name = "web"
        image = "x.lan/web:1"
        """;

    [Fact]
    public void A_changed_component_shows_each_key_with_its_old_and_its_new_value_in_columns()
    {
        var after = Before
            .Replace("notes:1\"", "notes:2\"\nmemory_mb = 256", StringComparison.Ordinal)
            .Replace("LOG_LEVEL = \"info\"", "LOG_LEVEL = \"debug\"", StringComparison.Ordinal)
            .Replace("\"/srv/notes:/data\"", "\"/srv/notes:/data\", \"/etc/notes:/conf:ro\"", StringComparison.Ordinal)
            .Replace("http = \"/\", port = 8080", "http = \"/well\", port = 8080, interval = \"5s\"", StringComparison.Ordinal);
        Shows(
            """
            replace  db   changed; other volumes; no data is copied; stops first: only one instance at a time may write to /srv/notes
                image            x.lan/notes:1 -> x.lan/notes:2
                memory_mb        (not set) -> 256
                env.LOG_LEVEL    info -> debug
                volumes
                    ["/srv/notes:/data"]
                 -> ["/srv/notes:/data", "/etc/notes:/conf:ro"]
                health.http      / -> /well
                health.interval  2s -> 5s
            keep     web  unchanged
            """,
            Plan(Before, after));
    }

    [Fact]
    public void A_key_that_goes_shows_what_it_was()
    {
        var after = Before
            .Replace("LOG_LEVEL = \"info\", ", "", StringComparison.Ordinal)
            .Replace("volumes = [\"/srv/notes:/data\"]", "", StringComparison.Ordinal)
            .Replace("health = { http = \"/\", port = 8080 }", "", StringComparison.Ordinal);
        var lines = Lines(Plan(Before, after));
        Assert.Contains("    env.LOG_LEVEL  info -> (not set)", lines);
        Assert.Contains("    volumes        [\"/srv/notes:/data\"] -> (not set)", lines);
        Assert.Contains("    health.http    / -> (not set)", lines);
        Assert.Contains("    health.port    8080 -> (not set)", lines);
    }

    [Fact]
    public void A_secret_is_never_printed_only_that_it_changes()
    {
        var lines = Lines(Plan(Before, Before.Replace("hunter2", "correct horse", StringComparison.Ordinal)));
        Assert.Contains("    env.DB_PASSWORD  (hidden) -> (hidden)", lines);
        Assert.Contains("    env.DB_PASSWORD  (hidden)", Lines(Plan(null, Before)));
        Assert.All(lines.Concat(Lines(Plan(null, Before))), line =>
        {
            Assert.DoesNotContain("hunter2", line, StringComparison.Ordinal);
            Assert.DoesNotContain("horse", line, StringComparison.Ordinal);
        });
    }

    [Fact]
    public void Whoever_may_only_look_is_not_told_that_a_value_was_not_set()
    {
        var plan = Plan(Before, Before.Replace("LOG_LEVEL = \"info\"", "LOG_LEVEL = \"debug\", NEW = \"1\"", StringComparison.Ordinal));
        var seen = Lines(SeenPlan.By(new Caller("eve", Role.Viewer, DateTimeOffset.MaxValue), plan));
        Assert.Contains("    env.LOG_LEVEL  (hidden) -> debug", seen);
        Assert.Contains("    env.NEW        (not set) -> 1", seen);
        Assert.DoesNotContain(seen, line => line.StartsWith("plan ", StringComparison.Ordinal));
    }

    [Fact]
    public void A_new_component_shows_its_values_alone_and_one_that_goes_a_line()
    {
        var after = Before[..Before.LastIndexOf("[[components]]", StringComparison.Ordinal)] + """
            [[components]]
            name = "cache"
            image = "x.lan/cache:1"
            memory_mb = 64
            """;
        Shows(
            """
            keep    db     unchanged
            create  cache  new
                image      x.lan/cache:1
                memory_mb  64
            remove  web    it is not in the file
            """,
            Plan(Before, after));
    }

    [Fact]
    public void Components_in_another_order_and_keys_of_the_service_stand_under_its_name()
    {
        var db = Before.IndexOf("[[components]]", StringComparison.Ordinal);
        var web = Before.LastIndexOf("[[components]]", StringComparison.Ordinal);
        var after = $"{Before[..db]}tier = \"core\"\nnode = \"rift\"\n{Before[web..]}\n{Before[db..web]}";
        Shows(
            """
            service  notes
                tier        worker -> core
                node        (not set) -> rift
                components  ["db", "web"] -> ["web", "db"]
            keep     web    unchanged
            keep     db     unchanged
            """,
            Plan(Before, after));
    }

    [Fact]
    public void A_new_service_shows_only_what_it_will_be()
    {
        Shows(
            """
            service  notes
                node  rift
            create   web    new
                image  x.lan/web:1
            """,
            Plan(null, """
                name = "notes"
                node = "rift"
                [[components]]
                name = "web"
                image = "x.lan/web:1"
                """));
    }

    [Fact]
    public void One_new_component_does_not_make_the_service_a_new_one()
    {
        var after = Before.Replace("name = \"notes\"", "name = \"notes\"\ntier = \"core\"", StringComparison.Ordinal) + """

            [[components]]
            name = "cache"
            image = "x.lan/cache:1"
            """;
        Shows(
            """
            service  notes
                tier  worker -> core
            create   cache  new
                image  x.lan/cache:1
            """,
            Plan(Before, after, "cache"));
    }

    [Fact]
    public void The_last_line_is_the_id_that_deploy_takes()
    {
        var plan = Plan(Before, Before);
        Assert.Equal(
            ["keep  db   unchanged", "keep  web  unchanged", $"plan {plan.Id}"],
            PlanText.Lines(plan, "notes"));
        Assert.Matches("^[0-9a-f]{16}$", plan.Id);
    }

    // "    path  " and " -> " are 14 characters here.
    [Theory]
    [InlineData(33, 33, true)]
    [InlineData(33, 34, false)]
    [InlineData(60, 60, false)]
    public void A_change_that_does_not_fit_80_columns_has_a_line_for_each_value(int old, int come, bool fits)
    {
        var (before, after) = (new string('a', old), new string('b', come));
        var plan = new PlanReply { Changes = { Replaced("web", new ChangedField { Path = "path", Old = before, New = after }) } };
        var lines = PlanText.Lines(plan, "s").Skip(1).ToList();
        Assert.Equal(
            fits ? [$"    path  {before} -> {after}"] : ["    path", $"        {before}", $"     -> {after}"],
            lines);
        Assert.All(lines, line => Assert.InRange(line.Length, 1, Width));
    }

    [Theory]
    [InlineData(70, true)]
    [InlineData(71, false)]
    public void A_long_value_of_what_is_new_has_a_line_to_itself(int length, bool fits)
    {
        var value = new string('b', length);
        var plan = new PlanReply { Changes = { Created("web", new ChangedField { Path = "path", New = value }) } };
        Assert.Equal(
            fits ? [$"    path  {value}"] : ["    path", $"        {value}"],
            PlanText.Lines(plan, "s").Skip(1));
    }

    [Fact]
    public void A_value_is_clipped_and_shows_where_it_differs()
    {
        var (same, rest) = (new string('x', 200), new string('y', 200));
        var before = Before.Replace("\"info\"", $"\"{same}1{rest}\"", StringComparison.Ordinal);
        var lines = Lines(Plan(before, Before.Replace("\"info\"", $"\"{same}2{rest}\"", StringComparison.Ordinal)));
        Assert.Equal(
            [
                "    env.LOG_LEVEL",
                $"        ...{new string('x', 10)}1{new string('y', 43)}...",
                $"     -> ...{new string('x', 10)}2{new string('y', 43)}...",
            ],
            lines[1..4]);
        Assert.All(lines[1..], line => Assert.InRange(line.Length, 1, Width));
    }

    [Fact]
    public void One_long_path_does_not_push_the_values_of_the_others_to_the_right()
    {
        var name = "env." + new string('N', 40);
        var plan = new PlanReply
        {
            Changes =
            {
                Replaced(
                    "web",
                    new ChangedField { Path = name, Old = "a", New = "b" },
                    new ChangedField { Path = "user", Old = "1", New = "2" }),
            },
        };
        Assert.Equal(
            ["replace  web  changed", $"    {name}  a -> b", $"    {"user",-32}  1 -> 2"],
            PlanText.Lines(plan, "s"));
    }

    [Fact]
    public void Of_very_many_changes_the_first_are_shown_and_how_many_more_there_are()
    {
        var variables = string.Join(", ", Enumerable.Range(0, 1200).Select(i => $"V{i:0000} = \"1\""));
        var lines = Lines(Plan(null, Before.Replace("LOG_LEVEL = \"info\"", variables, StringComparison.Ordinal)));
        Assert.Contains("    env.V0500        1", lines);
        Assert.DoesNotContain(lines, line => line.Contains("V1199", StringComparison.Ordinal));
        Assert.Contains("    (205 more)", lines);
        Assert.Equal(["create  web  new", "    (1 more)"], lines[^2..]);
        var change = new PlanReply { Changes = { Replaced("web", new ChangedField { Path = "(3 more)" }) } };
        Assert.Equal(["replace  web  changed", "    (3 more)"], PlanText.Lines(change, "s"));
    }

    [Fact]
    public void A_fleet_says_where_it_goes_and_why_not_elsewhere()
    {
        var plan = Plan(Before, Before);
        plan.Id = "0123456789abcdef";
        (plan.Node, plan.Why) = ("beech", "as asked");
        plan.Rejected.Add(new RejectedNode { Node = "cedar", Why = "unreachable" });
        Assert.Equal(
            ["keep  db   unchanged", "keep  web  unchanged", "on beech: as asked", "  not cedar: unreachable", "plan 0123456789abcdef"],
            PlanText.Lines(plan, "notes"));
    }

    [Fact]
    public void With_no_node_for_it_only_the_reasons_are_printed()
    {
        var plan = new PlanReply
        {
            Why = "no node can run it: cedar: cordoned",
            Rejected = { new RejectedNode { Node = "cedar", Why = "cordoned" } },
        };
        Assert.Equal(["nowhere: no node can run it: cedar: cordoned", "  not cedar: cordoned"], PlanText.Lines(plan, "notes"));
    }

    [Fact]
    public void Without_any_change_it_says_so()
    {
        Assert.Equal(["nothing would change"], PlanText.Lines(new PlanReply(), "notes"));
        Assert.Equal(
            ["nothing would change", "on alder: it is there already"],
            PlanText.Lines(new PlanReply { Node = "alder", Why = "it is there already" }, "notes"));
        Assert.DoesNotContain("nothing would change", PlanText.Lines(
            new PlanReply { Fields = { new ChangedField { Path = "tier", Old = "worker", New = "core" } } },
            "notes"));
    }

    private static PlannedChange Replaced(string component, params ChangedField[] fields) =>
        new() { Component = component, Action = "replace", Detail = "changed", Fields = { fields } };

    private static PlannedChange Created(string component, params ChangedField[] fields) =>
        new() { Component = component, Action = "create", Detail = "new", Fields = { fields } };

    // The id, which PlannerTests have, aside.
    private static void Shows(string expected, PlanReply plan) => Assert.Equal(expected.Split('\n'), Lines(plan));

    private static List<string> Lines(PlanReply plan)
    {
        var lines = PlanText.Lines(plan, "notes").ToList();
        return plan.Id.Length > 0 ? lines[..^1] : lines;
    }

    private static PlanReply Plan(string? before, string after, string? only = null)
    {
        var old = before is null ? null : ServiceFile.Parse(before, "before");
        var there = new CurrentService(
            Label.Parse("alder"),
            old,
            [.. (old?.Components ?? []).Select(c => new CurrentComponent(c, Generation: 1, Wanted: true, Runs: true))],
            new Dictionary<Label, int>());
        var asked = new RolloutRequest(ServiceFile.Parse(after, "after"), only is null ? null : Label.Parse(only));
        return new Planner(string.Equals, new VolumeRoot("/volumes")).Plan(asked, there).ToWire();
    }
}
