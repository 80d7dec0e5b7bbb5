using Mcp.Model.Definition;
using Mcp.Model.Deploy;
using Mcp.Model.Errors;
using Mcp.Model.Names;

namespace Mcp.UnitTests.Deploy;

/// <summary>What becomes of each component, what stops first, and why: the sentences of <c>mcp plan</c>.</summary>
public sealed class PlannerChangesTests
{
    private const string Takes = "only one instance at a time may write to /srv/data";
    private const string TakesPort = "only one instance at a time can have port 80 of the node";

    private static readonly Label s_shop = Label.Parse("shop");
    private static readonly CurrentService s_nothing = new(Label.Parse("alder"), null, [], new Dictionary<Label, int>());

    [Fact]
    public void What_does_not_change_and_runs_is_kept()
    {
        var change = Only(Plan(Service(Web()), There(Web())));
        Assert.Equal((ChangeKind.Keep, "unchanged", false, false), (change.Kind, change.Why, change.Ends, change.StopsFirst));
        Assert.Equal((3, 0, true), (change.Old, change.New, change.OldWanted));
    }

    [Theory]
    [InlineData(true, false, "it does not run")]
    [InlineData(false, false, "it is stopped")]
    [InlineData(false, true, "it is stopped")]
    public void What_does_not_run_is_started_anew(bool wanted, bool runs, string why)
    {
        var change = Only(Plan(Service(Web()), There(new CurrentComponent(Web(), 3, wanted, runs))));
        Assert.Equal((ChangeKind.Replace, why, wanted), (change.Kind, change.Why, change.OldWanted));
        Assert.Equal((3, 4), (change.Old, change.New));
    }

    [Fact]
    public void What_is_asked_for_with_force_is_replaced_though_nothing_changed()
    {
        var change = Only(Plan(new RolloutRequest(Service(Web()), Force: true), There(Web())));
        Assert.Equal((ChangeKind.Replace, "asked for with --force"), (change.Kind, change.Why));
        // What changed is told as such.
        Assert.Equal("changed", Only(Plan(new RolloutRequest(Service(Web("2")), Force: true), There(Web()))).Why);
    }

    [Fact]
    public void What_the_file_does_not_name_any_more_goes()
    {
        var change = Assert.Single(Plan(Service(Web()), There(Web(), Named("old"))).Changes, c => c.Component.Text == "old");
        Assert.Equal((ChangeKind.Remove, "it is not in the file"), (change.Kind, change.Why));
        Assert.Equal((3, 0, true), (change.Old, change.New, change.OldWanted));
    }

    [Fact]
    public void A_generation_gets_the_number_that_is_next_also_after_one_that_failed()
    {
        var there = There(Web()) with { Next = new Dictionary<Label, int> { [Label.Parse("web")] = 9, [Label.Parse("new")] = 5 } };
        Assert.Equal([9, 5, 1], Plan(Service(Web("2"), Named("new"), Named("first")), there).Changes.Select(c => c.New));
    }

    [Fact]
    public void What_is_new_is_not_started_where_the_file_says_that_it_is_not_active()
    {
        var change = Only(Plan(Service(Web()) with { Active = false }, s_nothing));
        Assert.Equal((ChangeKind.Create, "new; not started: active = false", false), (change.Kind, change.Why, change.StopsFirst));
        Assert.Equal("new", Only(Plan(Service(Web()), s_nothing)).Why);
    }

    [Fact]
    public void A_file_that_is_not_active_stops_what_runs_and_starts_nothing()
    {
        var there = There(new CurrentComponent(Web(), 3, true, true), new CurrentComponent(Named("idle"), 3, false, false));
        var plan = Plan(Service(Web(), Named("idle")) with { Active = false }, there);
        Assert.Equal(
            [("web", ChangeKind.Keep, "unchanged; it stops: active = false", true), ("idle", ChangeKind.Keep, "unchanged", false)],
            plan.Changes.Select(c => (c.Component.Text, c.Kind, c.Why, c.Ends)));
    }

    [Fact]
    public void One_component_of_a_file_that_is_not_active_names_the_others_that_run_and_no_other()
    {
        var there = There(
            new CurrentComponent(Web(), 3, true, true),
            new CurrentComponent(Named("idle"), 3, false, false),
            new CurrentComponent(Named("down"), 3, true, false));
        var file = Service(Web(), Named("idle"), Named("down")) with { Active = false };
        Assert.Equal(["web", "down"], Plan(Asked(file, "web"), there).Changes.Select(c => c.Component.Text));
    }

    [Fact]
    public void One_component_alone_leaves_the_others_as_they_are()
    {
        var file = Service(Named("first", "2"), Web("2"), Named("last", "2"));
        var plan = Plan(Asked(file, "web"), There(Named("first"), Web(), Named("gone")));
        Assert.Equal([("web", ChangeKind.Replace)], plan.Changes.Select(c => (c.Component.Text, c.Kind)));
        Assert.Equal(
            [("first", "x.lan/y:1"), ("web", "x.lan/y:2"), ("gone", "x.lan/y:1")],
            plan.Target.Components.Select(c => (c.Name.Text, c.Image.ToString())));
        // One that is not there yet comes last.
        Assert.Equal(["web", "last"], Plan(Asked(file, "last"), There(Web())).Target.Components.Select(c => c.Name.Text));
    }

    [Fact]
    public void A_component_that_the_file_does_not_have_is_refused_with_those_that_it_has()
    {
        var e = Assert.Throws<McpException>(() => Plan(Asked(Service(Web(), Named("db")), "bd"), There(Web())));
        Assert.Equal(
            (ErrorCode.ComponentUnknown, "service shop has no component bd", "it has: web, db"),
            (e.Code, e.Message, e.Hint));
    }

    [Theory]
    [InlineData("/srv/data", "/srv/data", true)]
    [InlineData("/srv/data:ro", "/srv/data", false)]
    [InlineData("/srv/data", "/srv/data:ro", false)]
    [InlineData("/srv/data:shared", "/srv/data:shared", false)]
    [InlineData("/srv/data:shared", "/srv/data", true)]
    [InlineData("/srv/data", "/srv/data:shared", true)]
    [InlineData("/srv/data", "/srv/other", false)]
    [InlineData("/etc/a:ro /srv/data", "/srv/other /srv/data", true)]
    [InlineData("", "/srv/data", false)]
    public void Two_write_to_one_volume_at_once_only_where_both_say_shared(string one, string other, bool clash)
    {
        var (left, right) = (With(Web(), one), With(Named("db"), other));
        Assert.Equal(clash ? Takes : null, Planner().Clash(s_shop, left, right));
        Assert.Equal(clash ? Takes : null, Planner().Clash(s_shop, right, left));
    }

    [Theory]
    [InlineData("data", "data", true)]
    [InlineData("data:shared", "data:shared", false)]
    [InlineData("data", "data:ro", false)]
    [InlineData("data", "logs", false)]
    [InlineData("data", "/data", false)]
    // The directory of that name on this node.
    [InlineData("data", "/volumes/shop/data", true)]
    public void A_named_volume_is_its_directory(string one, string other, bool clash)
    {
        var (left, right) = (With(Web(), one), With(Named("db"), other));
        Assert.Equal(clash ? "only one instance at a time may write to the volume data" : null, Planner().Clash(s_shop, left, right));
        Assert.Equal(clash, Planner().Clash(s_shop, right, left) is not null);
        // Another service's is another one.
        Assert.Equal(clash && other[0] == '/', Planner().Clash(s_shop, left, Label.Parse("mail"), right) is not null);
    }

    [Fact]
    public void A_component_with_a_named_volume_stops_first_unless_it_is_shared_or_only_read()
    {
        var old = With(Web(), "data");
        var change = Only(Plan(Service(With(Web("2"), "data")), There(old)));
        Assert.Equal(
            ("changed; stops first: only one instance at a time may write to the volume data", true),
            (change.Why, change.StopsFirst));
        var shared = With(Web(), "data:shared");
        Assert.False(Only(Plan(Service(With(Web("2"), "data:shared")), There(shared))).StopsFirst);
        Assert.True(Only(Plan(Service(With(Web("2"), "data:ro")), There(old))).StopsFirst);
    }

    [Fact]
    public void Data_that_is_found_in_a_volume_is_told_once()
    {
        var there = s_nothing with { Volumes = ["data", "logs"] };
        var found = Only(Plan(Service(With(Web(), "data other")), there));
        Assert.Equal("new; takes over what is kept in its volume data", found.Why);
        Assert.Equal("takes over what is kept in its volume data", found.Finds);
        var added = Only(Plan(Service(With(Web(), "data logs")), There(With(Web(), "data")) with { Volumes = ["data", "logs"] }));
        Assert.Equal("takes over what is kept in its volume logs", added.Finds);
        Assert.Null(Only(Plan(Service(With(Web("2"), "data")), There(With(Web(), "data")) with { Volumes = ["data"] })).Finds);
    }

    [Fact]
    public void Whether_two_host_paths_are_one_is_for_the_node_to_say()
    {
        var (inner, outer) = (With(Web(), "/srv/data/inner"), With(Named("db"), "/srv/data"));
        bool Overlap(string one, string two) =>
            one.StartsWith(two, StringComparison.Ordinal) || two.StartsWith(one, StringComparison.Ordinal);
        var below = new Planner(Overlap, new VolumeRoot("/volumes"));
        Assert.Equal("only one instance at a time may write to /srv/data/inner", below.Clash(s_shop, inner, outer));
        Assert.Null(Planner().Clash(s_shop, inner, outer));
    }

    [Theory]
    [InlineData("127.0.0.1:80", "127.0.0.1:80", true)]
    [InlineData("127.0.0.1:80", "127.0.0.2:80", false)]
    [InlineData("127.0.0.1:80", "127.0.0.1:81", false)]
    [InlineData("127.0.0.1:80", "0.0.0.0:80", true)]
    [InlineData("127.0.0.1:80", "[::]:80", true)]
    [InlineData("0.0.0.0:81", "0.0.0.0:80", false)]
    [InlineData("127.0.0.1:81 127.0.0.1:80", "127.0.0.1:82 127.0.0.1:80", true)]
    public void A_port_is_one_components_on_each_address(string one, string other, bool clash)
    {
        var (left, right) = (Ports(Web(), one), Ports(Named("db"), other));
        Assert.Equal(clash ? TakesPort : null, Planner().Clash(s_shop, left, right));
        Assert.Equal(clash ? TakesPort : null, Planner().Clash(s_shop, right, left));
    }

    [Fact]
    public void Components_that_would_write_to_one_volume_are_refused_with_both_names()
    {
        var there = There(With(Named("db"), "/srv/data"), Named("web"), Named("last"));
        var e = Assert.Throws<McpException>(() => Plan(Asked(Service(With(Web("2"), "/srv/data")), "web"), there));
        Assert.Equal(ErrorCode.VolumeHeld, e.Code);
        Assert.Equal($"components db and web cannot run at once: {Takes}", e.Message);
        Assert.Equal("say :shared on both where several writers are meant, or :ro where one only reads", e.Hint);
    }

    [Fact]
    public void Components_that_would_have_one_port_are_refused_with_advice_about_ports()
    {
        var there = There(Named("web"), Named("between"), Ports(Named("proxy"), "127.0.0.1:80"));
        var e = Assert.Throws<McpException>(() => Plan(Asked(Service(Ports(Web("2"), "127.0.0.1:80")), "web"), there));
        Assert.Equal(ErrorCode.PortInUse, e.Code);
        Assert.Equal($"components web and proxy cannot run at once: {TakesPort}", e.Message);
        Assert.Equal("give one of them another port, or deploy all of the file and not one component", e.Hint);
    }

    [Fact]
    public void What_changes_without_holding_anything_does_not_stop_first()
    {
        var change = Only(Plan(Service(Web("2")), There(Web())));
        Assert.Equal(("changed", false), (change.Why, change.StopsFirst));
        var shared = With(Web(), "/srv/data:shared");
        Assert.False(Only(Plan(Service(shared with { MemoryMb = 64 }), There(shared))).StopsFirst);
    }

    public static TheoryData<string, ComponentDefinition, ComponentDefinition, string> Stops() => new()
    {
        { "asked", Web(), Web() with { Update = UpdateMode.StopFirst }, "changed; stops first: update = \"stop-first\"" },
        { "volume", With(Web(), "/srv/data"), With(Web("2"), "/srv/data"), $"changed; stops first: {Takes}" },
        { "port", Ports(Web(), "127.0.0.1:80"), Ports(Web("2"), "127.0.0.1:80"), $"changed; stops first: {TakesPort}" },
        {
            "a reader of what the old one writes",
            With(Web(), "/etc/a:ro /srv/data"),
            With(Web("2"), "/srv/data:ro /etc/a:ro"),
            "changed; stops first: the old instance alone writes to its volume"
        },
        { "host network", Web(), Web() with { Network = "host" }, "changed; stops first: it is on the host network" },
        {
            "a port that is new",
            Web(),
            Ports(Web(), "127.0.0.1:80"),
            "changed; stops first: only one instance can have its port or volume"
        },
        {
            "a volume that is new",
            Web(),
            With(Web(), "/srv/data"),
            "changed; other volumes; no data is copied; stops first: only one instance can have its port or volume"
        },
    };

    [Theory]
    [MemberData(nameof(Stops))]
    public void What_two_generations_cannot_have_at_once_stops_the_old_one_first(
        string what,
        ComponentDefinition before,
        ComponentDefinition after,
        string why)
    {
        var change = Only(Plan(Service(after), There(before)));
        Assert.Equal((what, why, true), (what, change.Why, change.StopsFirst));
    }

    [Fact]
    public void An_old_generation_that_only_reads_or_shares_is_no_reason_to_stop_first()
    {
        foreach (var before in (string[])["/srv/data:ro", "/srv/data:shared", "/srv/other:ro"])
            Assert.False(Only(Plan(Service(With(Web("2"), "/srv/data:ro")), There(With(Web(), before)))).StopsFirst, before);
        // It writes elsewhere.
        Assert.Equal(
            "changed; other volumes; no data is copied",
            Only(Plan(Service(With(Web("2"), "/etc/a:ro")), There(With(Web(), "/srv/data")))).Why);
    }

    [Theory]
    [InlineData("/a:ro", "/b:ro", true)]
    [InlineData("/a:ro", "/a:ro /b:ro", true)]
    [InlineData("/a:ro /b:ro", "/b:ro", true)]
    [InlineData("/a:ro /b:ro", "/b:ro /a:ro", false)]
    [InlineData("/a:ro", "/a:shared", false)]
    public void Other_host_paths_come_without_the_data_and_the_same_ones_in_another_order_are_no_others(
        string before,
        string after,
        bool isElsewhere) =>
        Assert.Equal(
            isElsewhere ? "changed; other volumes; no data is copied" : "changed",
            Only(Plan(Service(With(Web(), after)), There(With(Web(), before)))).Why);

    [Fact]
    public void A_component_that_takes_over_anothers_volume_waits_for_it_to_stop()
    {
        // db is called data from now on.
        var there = There(Web(), With(Named("db"), "/srv/data"));
        var plan = Plan(Service(Web(), With(Named("data"), "/srv/data")), there);
        Assert.Equal(
            [
                ("web", ChangeKind.Keep, "unchanged", false),
                ("data", ChangeKind.Create, $"new; component db stops first: {Takes}", true),
                ("db", ChangeKind.Remove, "it is not in the file", false),
            ],
            plan.Changes.Select(c => (c.Component.Text, c.Kind, c.Why, c.StopsFirst)));
        // What is not started takes nothing over.
        var idle = Plan(Service(Web(), With(Named("data"), "/srv/data")) with { Active = false }, there).Changes[1];
        Assert.Equal(("new; not started: active = false", false), (idle.Why, idle.StopsFirst));
    }

    [Fact]
    public void A_change_that_takes_over_anothers_port_waits_for_it_and_its_own_reason_comes_first()
    {
        var there = There(Web(), Ports(Named("proxy"), "127.0.0.1:80"));
        var takes = Ports(Web(), "0.0.0.0:80") with { Update = UpdateMode.Beside };
        var change = Plan(Service(takes, Named("proxy")), there).Changes[0];
        Assert.Equal(($"changed; component proxy stops first: {TakesPort}", true), (change.Why, change.StopsFirst));
        var asked = Plan(Service(takes with { Update = UpdateMode.StopFirst }, Named("proxy")), there).Changes[0];
        Assert.Equal("changed; stops first: update = \"stop-first\"", asked.Why);
    }

    private static Planner Planner() => new(string.Equals, new VolumeRoot("/volumes"));

    private static RolloutPlan Plan(ServiceDefinition wanted, CurrentService there) => Plan(new RolloutRequest(wanted), there);

    private static RolloutPlan Plan(RolloutRequest asked, CurrentService there) => Planner().Plan(asked, there);

    private static RolloutRequest Asked(ServiceDefinition wanted, string only) => new(wanted, Label.Parse(only));

    private static ComponentChange Only(RolloutPlan plan) => Assert.Single(plan.Changes);

    private static ServiceDefinition Service(params ComponentDefinition[] components) =>
        new() { Name = Label.Parse("shop"), Components = components };

    private static ComponentDefinition Web(string tag = "1") => Named("web", tag);

    private static ComponentDefinition Named(string name, string tag = "1") =>
        new() { Name = Label.Parse(name), Image = ImageReference.Parse($"x.lan/y:{tag}") };

    // Host paths, with :ro or :shared.
    private static ComponentDefinition With(ComponentDefinition component, string paths) => component with
    {
        Volumes =
        [
            .. paths.Split(' ', StringSplitOptions.RemoveEmptyEntries)
                .Select(p => p.Split(':'))
                .Select(p => new VolumeMount(p[0], "/in/" + p[0].TrimStart('/'), ReadOnly: p[^1] == "ro", Shared: p[^1] == "shared")),
        ],
    };

    private static ComponentDefinition Ports(ComponentDefinition component, string ports) => component with
    {
        Ports = [.. ports.Split(' ').Select(System.Net.IPEndPoint.Parse).Select(p => new FixedPort($"{p.Address}", p.Port, 8080))],
    };

    // Each in generation 3, and running.
    private static CurrentService There(params ComponentDefinition[] components) =>
        There([.. components.Select(c => new CurrentComponent(c, 3, Wanted: true, Runs: true))]);

    private static CurrentService There(params CurrentComponent[] components) =>
        s_nothing with { Definition = Service([.. components.Select(c => c.Definition)]), Components = components };
}
