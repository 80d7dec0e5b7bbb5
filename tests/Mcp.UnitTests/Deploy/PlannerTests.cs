using System.Globalization;
using System.Reflection;
using Mcp.Model.Definition;
using Mcp.Model.Deploy;
using Mcp.Model.Names;

namespace Mcp.UnitTests.Deploy;

/// <summary>A plan shows every key that changes, and has another id whenever something else would be done.</summary>
public sealed class PlannerTests
{
    private static readonly ServiceDefinition s_full = ServiceFile.Parse("""
        name = "blog"
        tier = "core"
        node = "rift"
        active = false
        [[components]]
        name = "web"
        image = "x.lan/blog:1"
        runtime = "container"
        memory_mb = 256
        vcpus = 2
        cmd = ["server"]
        env = { LOG_LEVEL = "info" }
        volumes = ["/srv/blog:/data"]
        ports = ["127.0.0.1:8443:8443"]
        network = "lan"
        user = "1000"
        restart = "on-failure"
        pull = "missing"
        update = "stop-first"
        stop_grace = "20s"
        stop_signal = "SIGINT"
        drain = "3s"
        health.http = "/healthz"
        health.port = 8080
        health.host = "up.example.com"
        health.interval = "500ms"
        health.timeout = "3s"
        health.retries = 9
        health.every = "20s"
        health.start_period = "1m"
        health.on_unhealthy = "report"
        [[components.routes]]
        name = "http"
        port = 8080
        hostname = "blog.example.com"
        idle_timeout = "2m"
        """, "test");

    public static TheoryData<string, string> Keys()
    {
        var keys = new TheoryData<string, string>();
        foreach (var (header, infos) in ServiceKeys.All)
        {
            foreach (var info in infos)
                keys.Add(header, info.Name);
        }

        return keys;
    }

    [Theory]
    [MemberData(nameof(Keys))]
    public void A_change_of_any_key_shows_and_gives_the_plan_another_id(string header, string key)
    {
        // Other names make another service, or other components.
        var isIdentity = key == "name" && !header.Contains("routes", StringComparison.Ordinal);
        if (isIdentity || (header == "the service" && key == "components"))
            return;
        var web = s_full.Components[0];
        var (changed, path) = header switch
        {
            "the service" => (Changed(s_full, key), key),
            "[[components]]" => (s_full with { Components = [Changed(web, key)] }, key),
            "health = { ... }" => (s_full with { Components = [web with { Health = Changed(web.Health!, key) }] }, $"health.{key}"),
            "[[components.routes]]" =>
                (s_full with { Components = [web with { Routes = [Changed(web.Routes[0], key)] }] }, key == "name" ? "routes" : $"routes.http.{key}"),
            _ => throw new InvalidOperationException($"{header} is new: let this test change its keys"),
        };
        foreach (var (before, after) in ((ServiceDefinition, ServiceDefinition)[])[(s_full, changed), (changed, s_full)])
        {
            var plan = Plan(after, before);
            var fields = header == "the service" ? plan.Fields : plan.Changes[0].Fields;
            Assert.NotEmpty(fields);
            Assert.All(fields, f => Assert.True(f.Path == path || f.Path.StartsWith($"{path}.", StringComparison.Ordinal), f.Path));
            Assert.All(fields, f => Assert.NotEqual(f.Old, f.New));
            Assert.True(header == "the service" || plan.Changes[0].Kind == ChangeKind.Replace, plan.Changes[0].Why);
            Assert.False(plan.IsEmpty);
            Assert.Equal(4, new HashSet<string>([plan.Id, Plan(after, after).Id, Plan(before, before).Id, Plan(before, after).Id]).Count);
        }
    }

    [Fact]
    public void What_is_the_same_shows_nothing_and_has_one_id()
    {
        var again = ServiceFile.Parse(ServiceFileWriter.Write(s_full), "again");
        var plan = Plan(s_full, s_full);
        Assert.Equal((ChangeKind.Keep, 0, 0), (plan.Changes[0].Kind, plan.Changes[0].Fields.Count, plan.Fields.Count));
        Assert.True(plan.IsEmpty);
        Assert.Equal(plan.Id, Plan(again, s_full).Id);
        Assert.Matches("^[0-9a-f]{16}$", plan.Id);
    }

    [Fact]
    public void The_id_is_another_one_elsewhere_later_or_where_something_else_would_be_done()
    {
        var web = s_full.Components[0];
        var there = There(s_full, 3);
        var plans = new List<RolloutPlan>
        {
            Plan(s_full, null),
            Plan(s_full, s_full),
            Plan(new RolloutRequest(s_full), there),
            Plan(new RolloutRequest(s_full), there with { Node = Label.Parse("beech") }),
            Plan(new RolloutRequest(s_full, Force: true), there),
            Plan(new RolloutRequest(s_full), there with { Components = [there.Components[0] with { Wanted = true }] }),
            Plan(new RolloutRequest(s_full with { Active = true }), there with { Definition = s_full with { Active = true } }),
            Plan(
                new RolloutRequest(s_full with { Components = [web, web with { Name = Label.Parse("x"), Volumes = [], Ports = [] }] }),
                there),
        };
        Assert.Equal(plans.Count, plans.Select(p => p.Id).Distinct().Count());
        // The number that comes next is no change: a deploy that failed has used one up.
        Assert.Equal(plans[2].Id, Plan(new RolloutRequest(s_full), there with { Next = new Dictionary<Label, int> { [web.Name] = 9 } }).Id);
    }

    [Theory]
    [InlineData("drain", "3s", "10s")]
    [InlineData("restart", "on-failure", "unless-stopped")]
    [InlineData("memory_mb", "256", "")]
    [InlineData("cmd", "[\"server\"]", "")]
    [InlineData("env.LOG_LEVEL", "info", "")]
    [InlineData("health.http", "/healthz", "")]
    [InlineData("health.interval", "500ms", "")]
    [InlineData("routes.http.port", "8080", "")]
    public void Without_a_key_what_holds_without_it_is_shown(string path, string old, string come)
    {
        var bare = s_full with { Components = [new ComponentDefinition { Name = Label.Parse("web"), Image = s_full.Components[0].Image }] };
        Assert.Contains(new FieldChange(path, old, come), Plan(bare, s_full).Changes[0].Fields);
        Assert.Contains(new FieldChange(path, come, old), Plan(s_full, bare).Changes[0].Fields);
    }

    [Fact]
    public void Keys_of_the_service_and_the_order_of_its_parts_show()
    {
        var two = s_full with
        {
            Active = true,
            Components = [s_full.Components[0], s_full.Components[0] with { Name = Label.Parse("x"), Volumes = [], Ports = [] }],
        };
        var turned = s_full with { Components = [two.Components[1], two.Components[0]] };
        Assert.Equal(
            [new FieldChange("active", "true", "false"), new FieldChange("components", "[\"web\", \"x\"]", "[\"x\", \"web\"]")],
            Plan(turned, two).Fields);
        var routes = s_full.Components[0].Routes;
        var (one, other) = (With(
            routes[0],
            routes[0] with { Name = Label.Parse("admin") }), With(routes[0] with { Name = Label.Parse("admin") }, routes[0]));
        Assert.Equal([new FieldChange("routes", "[\"http\", \"admin\"]", "[\"admin\", \"http\"]")], Plan(other, one).Changes[0].Fields);
        // One that comes or goes moves nobody.
        Assert.All(Plan(other, s_full).Changes[0].Fields, f => Assert.StartsWith("routes.admin.", f.Path, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("DB_PASSWORD", "x")]
    [InlineData("PGPASSWORD", "x")]
    [InlineData("apiKey", "x")]
    [InlineData("SSH_KEY_ID", "x")]
    [InlineData("github_token", "x")]
    [InlineData("REDIS_PASS", "x")]
    [InlineData("URL", "postgres://shop:x@db/shop")]
    [InlineData("URL", "redis://:x@db")]
    [InlineData("URL", "see https://a.lan, then amqp://u:p/x@q:1/v")]
    [InlineData("CONNECTION", "Server=db; Password = x")]
    [InlineData("JDBC", "jdbc:postgresql://db/shop?user=a&password=x")]
    [InlineData("SETTINGS", "{\"db\": {\"password\":\"x\"}}")]
    [InlineData("SETTINGS", "token: x")]
    [InlineData("PEM", "-----BEGIN EC PRIVATE KEY-----x")]
    [InlineData("GH", "ghp_x")]
    [InlineData("K8S", "Bearer x")]
    public void A_secret_is_shown_as_changed_and_hidden(string name, string value)
    {
        var fields = Plan(Env(name, value), Env(name, value.Replace("x", "y", StringComparison.Ordinal))).Changes[0].Fields;
        Assert.Equal([new FieldChange($"env.{name}", "(hidden)", "(hidden)")], fields);
        Assert.Equal(
            [new FieldChange($"env.{name}", "", "(hidden)")],
            Plan(Env(name, value), Env("OTHER", "x")).Changes[0].Fields.Where(f => f.Path != "env.OTHER"));
    }

    [Theory]
    [InlineData("KEYBOARD", "x")]
    [InlineData("BASE_URL", "http://host:8080/a")]
    [InlineData("MAIL", "x@example.com")]
    [InlineData("DIRECTORY", "/srv/key:/data")]
    [InlineData("OPTIONS", "level=x")]
    public void What_is_no_secret_is_seen(string name, string value) =>
        Assert.Equal([new FieldChange($"env.{name}", "before", value)], Plan(Env(name, value), Env(name, "before")).Changes[0].Fields);

    [Theory]
    [InlineData("--token", "x")]
    [InlineData("--db-password=x", "")]
    [InlineData("postgres://shop:x@db/shop", "")]
    public void An_argument_that_is_a_secret_hides_the_arguments(string one, string other)
    {
        var before = s_full with { Components = [s_full.Components[0] with { Cmd = ["before"] }] };
        var after = s_full with { Components = [s_full.Components[0] with { Cmd = [one, other] }] };
        Assert.Equal([new FieldChange("cmd", "[\"before\"]", "(hidden)")], Plan(after, before).Changes[0].Fields);
    }

    [Fact]
    public void No_value_is_long_moves_a_cursor_or_looks_like_another()
    {
        FieldChange Field(string before, string after) => Assert.Single(Plan(Env("A", after), Env("A", before)).Changes[0].Fields);
        var (left, long1, long2) = (new string('a', 500), new string('b', 300) + "1" + new string('c', 300), new string('b', 300) + "2" + new string('c', 300));
        Assert.Equal(("\"\"", "\"\\\"\\\"\""), (Field("", "\"\"").Old, Field("", "\"\"").New));
        Assert.Equal("\"\\u001B[2J\\u000A\\u202E\"", Field("x", "\e[2J\n\u202E").New);
        Assert.Equal(left[..57] + "...", Field(left, "x").Old);
        Assert.Equal("(hidden)", Field(new string('a', 5000), "x").Old);
        // The difference is in the middle.
        Assert.Equal(("...bbbbbbbbbb1", "...bbbbbbbbbb2"), (Field(long1, long2).Old[..14], Field(long1, long2).New[..14]));
        Assert.NotEqual(Field(left, left + "1").Old, Field(left, left + "1").New);
        for (var i = 40; i < 70; i++)
        {
            Assert.DoesNotContain(
                '\uFFFD',
                System.Text.Encoding.UTF8.GetString(System.Text.Encoding.UTF8.GetBytes(
                    Field(new string('a', i) + "\U0001F600" + left, "x").Old)));
        }
    }

    [Fact]
    public void One_component_of_a_new_service_is_all_that_comes()
    {
        var two = s_full with
        {
            Active = true,
            Components = [s_full.Components[0], s_full.Components[0] with { Name = Label.Parse("x"), Volumes = [], Ports = [] }],
        };
        var plan = Plan(new RolloutRequest(two, Label.Parse("x")), There(null, 0));
        Assert.Equal(["x"], plan.Changes.Select(c => c.Component.Text));
        Assert.Equal(["x"], plan.Target.Components.Select(c => c.Name.Text));
        Assert.Contains(plan.Changes[0].Fields, f => f.Path == "image");
    }

    [Fact]
    public void A_file_that_is_not_active_stops_also_what_was_not_asked_for()
    {
        var running = s_full with
        {
            Active = true,
            Components = [s_full.Components[0], s_full.Components[0] with { Name = Label.Parse("x"), Volumes = [], Ports = [] }],
        };
        var there = There(running, 1) with { Components = [.. running.Components.Select(c => new CurrentComponent(c, 1, true, true))] };
        var plan = Plan(new RolloutRequest(running with { Active = false }, Label.Parse("x")), there);
        Assert.Equal([("x", true), ("web", true)], plan.Changes.Select(c => (c.Component.Text, c.Ends)));
        Assert.False(plan.IsEmpty);
    }

    private static ServiceDefinition With(params Route[] routes) =>
        s_full with { Components = [s_full.Components[0] with { Routes = routes }] };

    private static ServiceDefinition Env(string name, string value) =>
        s_full with { Components = [s_full.Components[0] with { Env = new Dictionary<string, string> { [name] = value } }] };

    private static RolloutPlan Plan(ServiceDefinition after, ServiceDefinition? before) =>
        Plan(new RolloutRequest(after), There(before, 1));

    private static RolloutPlan Plan(RolloutRequest asked, CurrentService there) =>
        new Planner(string.Equals, new VolumeRoot("/volumes")).Plan(asked, there);

    private static CurrentService There(ServiceDefinition? before, int generation) => new(
        Label.Parse("alder"),
        before,
        [.. (before?.Components ?? []).Select(c => new CurrentComponent(c, generation, Wanted: false, Runs: false))],
        new Dictionary<Label, int>());

    // The part with another value of one member.
    private static T Changed<T>(T part, string key)
        where T : class
    {
        var member = typeof(T).GetProperty(CultureInfo.InvariantCulture.TextInfo.ToTitleCase(key.Replace('_', ' '))
            .Replace(" ", "", StringComparison.Ordinal))
            ?? throw new InvalidOperationException($"{typeof(T).Name} has no member for the key {key}");
        var changed = (T)typeof(T).GetMethod("<Clone>$", BindingFlags.Public | BindingFlags.Instance)!.Invoke(part, null)!;
        member.SetValue(changed, Other(member.PropertyType, member.GetValue(part)));
        return changed;
    }

    private static object Other(Type type, object? value) => value switch
    {
        bool truth => !truth,
        int number => number + 1,
        TimeSpan time => time + TimeSpan.FromSeconds(1),
        Label => Label.Parse("other"),
        ImageReference => ImageReference.Parse("x.lan/other:2"),
        Hostname => Hostname.TryParse("other.example.com", out var hostname) ? hostname : "",
        string text => text + "2",
        Enum => Enum.GetValues(Nullable.GetUnderlyingType(type) ?? type).Cast<object>().First(v => !v.Equals(value)),
        IReadOnlyList<string> => new[] { "other" },
        IReadOnlyList<VolumeMount> => new[] { new VolumeMount("/srv/other", "/data", false) },
        IReadOnlyList<FixedPort> => new[] { new FixedPort("127.0.0.1", 1, 2) },
        IReadOnlyList<Route> routes => routes.Select(r => r with { Port = r.Port + 1 }).ToList(),
        IReadOnlyDictionary<string, string> => new Dictionary<string, string> { ["LOG_LEVEL"] = "other" },
        HealthCheck health => health with { Retries = health.Retries + 1 },
        _ => throw new InvalidOperationException($"{type.Name} is new: let this test change it"),
    };
}
