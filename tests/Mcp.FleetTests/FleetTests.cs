using Mcp.FleetTests.Hosts;

namespace Mcp.FleetTests;

// One fleet; cutting a link or killing the master concerns all tests.
[Collection("fleet")]
public class FleetTests(Fleet fleet)
{
    [Fact]
    public async Task Services_land_where_the_rule_says_are_seen_and_leave_without_a_trace()
    {
        await fleet.EmptyAsync();
        var steps = await fleet.McpOkAsync("deploy", fleet.Write("core", extra: "tier = \"core\""));
        Assert.Contains("place", steps, StringComparison.Ordinal);
        Assert.Contains("alder: fewest services (0) of 1", steps, StringComparison.Ordinal);
        foreach (var name in (string[])["one", "two", "three"])
            await fleet.McpOkAsync("deploy", fleet.Write(name));
        var placed = (await fleet.StatusAsync()).Select(c => (c.Service, c.Node, c.Observed)).ToList();
        Assert.Equal(
            [("core", "alder", "running"), ("one", "beech", "running"), ("three", "beech", "running"), ("two", "cedar", "running")],
            placed);
        Assert.Equal("hello from v1", await fleet.GetAsync("cedar", "two"));
        Assert.Equal(Fleet.Address("cedar"), await fleet.LookUpAsync("two"));
        Assert.Equal(Fleet.Address("cedar"), await fleet.LookUpAsync("web.two"));
        Assert.Contains("web.two.mcp.internal    100.64.7.3  ok", await fleet.McpOkAsync("dns", "list"), StringComparison.Ordinal);

        // It stays where it is, and plan says why, and why not elsewhere.
        var plan = await fleet.McpOkAsync("plan", fleet.Write("two", "v2"));
        Assert.Contains("on cedar: it is there already", plan, StringComparison.Ordinal);
        Assert.Contains("not alder: is not for the tier worker", plan, StringComparison.Ordinal);
        await fleet.McpOkAsync("deploy", fleet.Write("two", "v2"));
        Assert.Equal("hello from v2", await fleet.GetAsync("cedar", "two"));
        Assert.Contains("listening on 8080", await fleet.McpOkAsync("logs", "two"), StringComparison.Ordinal);
        Assert.Contains("listening on 8080", await fleet.McpOkAsync("logs", "two/web", "--previous"), StringComparison.Ordinal);
        var every = await fleet.McpOkAsync("logs", "--all", "--grep", "^listening");
        foreach (var from in (string[])["core/web@alder", "one/web@beech", "three/web@beech", "two/web@cedar"])
            Assert.Contains($"{from} | listening on 8080", every, StringComparison.Ordinal);
        Assert.Contains("cedar", await fleet.McpOkAsync("ps"), StringComparison.Ordinal);
        Assert.Contains("deploy.done", await fleet.McpOkAsync("events"), StringComparison.Ordinal);

        await fleet.McpOkAsync("deploy", fleet.Write("three"), "--node", "cedar");
        Assert.Equal(Fleet.Address("cedar"), await fleet.LookUpAsync("three"));
        Assert.Equal(["three.web.1"], await fleet.ContainersAsync("cedar", "three"));
        Assert.Empty(await fleet.ContainersAsync("beech", "three"));
        foreach (var name in (string[])["core", "one", "two", "three"])
            await fleet.McpOkAsync("undeploy", name);
        Assert.Empty(await fleet.StatusAsync());
        Assert.Equal("", await fleet.LookUpAsync("web.two"));
        foreach (var node in Fleet.Nodes)
            Assert.Empty(await fleet.ContainersAsync(node, "one"));
    }

    [Fact]
    public async Task A_service_answers_by_its_name_over_tls_wherever_it_goes_and_elsewhere_nobody_does()
    {
        await fleet.McpOkAsync("deploy", fleet.Write("named"), "--node", "beech");
        foreach (var node in (string[])["beech", "cedar"])
        {
            await fleet.McpOkAsync("deploy", fleet.Write("named"), "--node", node);
            Assert.Equal(Fleet.Address(node), await fleet.LookUpAsync("named"));
            Assert.Equal("hello from v1", await fleet.GetByNameAsync("named"));
            Assert.Equal("hello from v1", await fleet.GetByNameAsync("web.named"));
            Assert.Equal(
                UnixFileMode.UserRead | UnixFileMode.UserWrite,
                File.GetUnixFileMode(Path.Combine(fleet.State(node), "member", "services", "named.pem")));
        }

        // It has left beech, and its key with it.
        Assert.Equal("", await fleet.GetByNameAsync("named", Fleet.Address("beech")));
        await Fleet.UntilAsync(
            () => Task.FromResult(!File.Exists(Path.Combine(fleet.State("beech"), "member", "services", "named.pem"))),
            "the certificate is gone from beech");
        await fleet.McpOkAsync("undeploy", "named");
    }

    [Fact]
    public async Task A_drained_nodes_services_move_without_a_failed_request()
    {
        await fleet.McpOkAsync("deploy", fleet.Write("moves"));
        var from = (await fleet.StatusAsync()).Single(c => c.Service == "moves").Node;
        using var stop = new CancellationTokenSource();
        var asking = Task.Run(async () =>
        {
            var (asked, failed) = (0, new List<string>());
            while (!stop.IsCancellationRequested)
            {
                var address = await fleet.LookUpAsync("moves");
                if (await fleet.GetAtAsync(address, "moves") != "hello from v1")
                    failed.Add(address);
                asked++;
            }

            return (asked, failed);
        });
        var drained = await fleet.McpOkAsync("node", "drain", from);
        Assert.Contains("moves", drained, StringComparison.Ordinal);
        await stop.CancelAsync();
        var (count, failures) = await asking;
        Assert.True(count > 2, $"only {count} requests");
        Assert.Empty(failures);
        Assert.NotEqual(from, (await fleet.StatusAsync()).Single(c => c.Service == "moves").Node);
        Assert.Empty(await fleet.ContainersAsync(from, "moves"));
        await fleet.McpOkAsync("node", "uncordon", from);
        await fleet.McpOkAsync("undeploy", "moves");
    }

    [Fact]
    public async Task A_node_that_is_cut_off_is_told_and_what_is_left_there_is_removed_when_it_is_back()
    {
        await fleet.McpOkAsync("deploy", fleet.Write("cut"), "--node", "cedar");
        await fleet.HeartbeatAsync("cedar");
        await fleet.CutAsync("cedar");
        try
        {
            await Fleet.UntilAsync(async () => (await fleet.NodesAsync()).Contains(("cedar", "unreachable")), "cedar is unreachable");
            Assert.Contains(("cut", "cedar", "running", true), await fleet.StatusAsync());
            Assert.Contains("unreachable: node cedar", await fleet.McpOkAsync("status"), StringComparison.Ordinal);
            Assert.Contains(
                "cedar: unreachable",
                (await fleet.McpAsync("plan", fleet.Write("other"), "--node", "cedar")).Output,
                StringComparison.Ordinal);
            Assert.Contains("node.unreachable", await fleet.McpOkAsync("events"), StringComparison.Ordinal);
            var (exitCode, _, error) = await fleet.McpAsync("undeploy", "cut");
            Assert.Equal(1, exitCode);
            Assert.Contains("tried again by itself", error, StringComparison.Ordinal);
            Assert.Single(await fleet.ContainersAsync("cedar", "cut"));
        }
        finally
        {
            await fleet.MendAsync("cedar");
        }

        await Fleet.UntilAsync(async () => (await fleet.ContainersAsync("cedar", "cut")).Length == 0, "what was left on cedar is removed");
        await Fleet.UntilAsync(async () => (await fleet.NodesAsync()).Contains(("cedar", "reachable")), "cedar is back");
    }

    [Fact]
    public async Task A_master_killed_at_random_points_of_deploys_and_undeploys_goes_on_by_itself_and_doubles_nothing()
    {
        const int Points = 50;
        var resumed = 0;
        for (var i = 0; i < Points; i++)
        {
            var operation = i % 3 == 2
                ? fleet.McpAsync("undeploy", "killed")
                : fleet.McpAsync("deploy", fleet.Write("killed", i % 2 == 0 ? "v1" : "v2"));
            await Task.Delay(Random.Shared.Next(700));
            await fleet.KillMasterAsync();
            await operation;
            var open = fleet.OpenOperations();
            resumed += (int)open;
            fleet.StartMaster();
            await Fleet.UntilAsync(async () => (await fleet.McpAsync("whoami")).ExitCode == 0, "the master is back");
            await Fleet.UntilAsync(() => Task.FromResult(fleet.OpenOperations() == 0), "what was begun is ended");
            // An agent that was at it when the master died ends what it had begun, and what nobody wants is swept away.
            await Fleet.UntilAsync(
                async () => await ConsistentAsync(),
                $"one instance where the master says, or none (point {i})",
                async () => $"{string.Join("; ", await fleet.StatusAsync())} against "
                    + $"{string.Join(", ", await EverywhereAsync("killed"))}\n{await fleet.McpOkAsync("events")}");
        }

        Assert.True(resumed > Points / 4, $"only {resumed} kills hit anything");
        if ((await fleet.StatusAsync()).Any(c => c.Service == "killed"))
            await fleet.McpOkAsync("undeploy", "killed");
        Assert.Equal(0, await fleet.StopMasterAsync());
        fleet.StartMaster();
        await Fleet.UntilAsync(async () => (await fleet.McpAsync("whoami")).ExitCode == 0, "the master is back");

        async Task<bool> ConsistentAsync()
        {
            var placed = (await fleet.StatusAsync()).Where(c => c.Service == "killed").ToList();
            var there = await EverywhereAsync("killed");
            var name = await fleet.LookUpAsync("killed");
            return name == (placed.Count == 0 ? "" : Fleet.Address(placed[0].Node))
                && placed.Count == there.Count
                && (placed.Count == 0
                    || (placed.Count == 1
                        && placed[0].Observed == "running"
                        && there[0].StartsWith(placed[0].Node, StringComparison.Ordinal)));
        }
    }

    [Fact]
    public async Task Master_and_agent_know_how_far_the_others_database_has_come_also_after_a_kill_of_both()
    {
        const string Newest = "SELECT epoch FROM epochs ORDER BY id DESC LIMIT 2";
        await fleet.McpOkAsync("deploy", fleet.Write("numbered"), "--node", "beech");
        await fleet.KillMasterAsync();
        await fleet.KillAgentAsync("beech");
        fleet.StartMaster();
        fleet.StartAgent("beech");
        await Fleet.UntilAsync(async () => (await fleet.McpAsync("whoami")).ExitCode == 0, "the master is back");
        await Fleet.UntilAsync(async () => (await fleet.NodesAsync()).Contains(("beech", "reachable")), "beech is back");
        await fleet.HeartbeatAsync("beech");
        await fleet.McpOkAsync("deploy", fleet.Write("numbered", "v2"), "--node", "beech");

        var (agent, master) = (fleet.DatabaseOf("beech"), fleet.MasterDatabase);
        var epochs = Fleet.Query(master, Newest);
        Assert.Equal(epochs, Fleet.Query(agent, "SELECT epoch FROM master_epochs ORDER BY id DESC LIMIT 2"));
        Assert.Equal(epochs[..1], Fleet.Query(agent, "SELECT epoch FROM sequences WHERE service = 'numbered'"));
        Assert.Equal(epochs[..1], Fleet.Query(agent, "SELECT epoch FROM peers ORDER BY id DESC LIMIT 1"));
        const string Seen = "SELECT epoch FROM peers WHERE peer = 'beech' ORDER BY id DESC LIMIT 1";
        Assert.Equal(Fleet.Query(agent, Newest)[..1], Fleet.Query(master, Seen));
        // What a heartbeat has told is no change, so the two do not raise each other's number.
        const string Change = "SELECT last FROM changes";
        List<string> Changes() => [.. Fleet.Query(agent, Change), .. Fleet.Query(master, Change)];
        var before = Changes();
        await fleet.HeartbeatAsync("beech");
        Assert.Equal(before, Changes());
        await fleet.McpOkAsync("undeploy", "numbered");
    }

    [Fact]
    public async Task A_node_that_is_cut_off_in_the_middle_of_a_deploy_fails_it_and_the_same_command_goes_on()
    {
        await fleet.McpOkAsync("deploy", fleet.Write("torn"), "--node", "beech");
        foreach (var pause in (int[])[50, 250])
        {
            var file = fleet.Write("torn", pause == 250 ? "v1" : "v2");
            var deploy = fleet.McpAsync("deploy", file);
            await Task.Delay(pause);
            await fleet.CutAsync("beech");
            // A dead connection shows after one unanswered ping.
            // And the node is waited for, since it goes on by itself.
            var (exitCode, output, error) = await deploy.WaitAsync(TimeSpan.FromSeconds(80));
            await fleet.MendAsync("beech");
            if (exitCode != 0)
                Assert.Contains("node beech", output + error, StringComparison.Ordinal);
            await Fleet.UntilAsync(async () => (await fleet.NodesAsync()).Contains(("beech", "reachable")), "beech is back");
            // Its heartbeats come again before the master has called it again.
            await Fleet.UntilAsync(async () => (await fleet.McpAsync("deploy", file)).ExitCode == 0, "the same command goes on");
            Assert.Single(await EverywhereAsync("torn"));
            Assert.Equal(pause == 250 ? "hello from v1" : "hello from v2", await fleet.GetAsync("beech", "torn"));
        }

        await fleet.McpOkAsync("undeploy", "torn");
    }

    [Fact]
    public async Task An_agent_that_dies_in_the_middle_of_a_deploy_ends_it_when_it_is_back()
    {
        await fleet.McpOkAsync("deploy", fleet.Write("agentless"), "--node", "beech");
        foreach (var pause in (int[])[100, 350])
        {
            var file = fleet.Write("agentless", pause == 100 ? "v2" : "v1");
            var deploy = fleet.McpAsync("deploy", file);
            await Task.Delay(pause);
            await fleet.KillAgentAsync("beech");
            fleet.StartAgent("beech");
            var (exitCode, _, error) = await deploy.WaitAsync(TimeSpan.FromSeconds(80));
            // It may have died before it had heard of it.
            if (exitCode != 0)
                Assert.Contains("node beech cannot be reached", error, StringComparison.Ordinal);
            // Not the last heartbeat of the one that died.
            await fleet.HeartbeatAsync("beech");
            await Fleet.UntilAsync(
                async () => !(await fleet.McpOkAsync("status")).Contains("unreachable", StringComparison.Ordinal),
                "beech is back");
            if (exitCode != 0)
                await fleet.McpOkAsync("deploy", file);
            Assert.Single(await EverywhereAsync("agentless"));
            Assert.Equal(pause == 100 ? "hello from v2" : "hello from v1", await fleet.GetAsync("beech", "agentless"));
        }

        await fleet.McpOkAsync("undeploy", "agentless");
    }

    [Fact]
    public async Task A_hostname_outside_the_allowed_domains_or_of_another_service_is_refused_before_anything_is_touched()
    {
        await fleet.McpOkAsync("deploy", fleet.Write("mine"));
        foreach (var hostname in (string[])[
            "evil.net",
            "example.com.evil.net",
            "xexample.com",
            "example.com.",
            "EXAMPLE.com",
            "*.example.com",
            "ex\u0430mple.com",
        ])
        {
            Assert.NotEqual(0, (await fleet.McpAsync("deploy", fleet.Write("thief", hostname: hostname, isPublic: true))).ExitCode);
        }

        var (_, _, error) = await fleet.McpAsync("deploy", fleet.Write("thief", hostname: "mine.example.com"));
        Assert.Contains("mine.example.com belongs to the service mine", error, StringComparison.Ordinal);
        Assert.DoesNotContain(await fleet.StatusAsync(), c => c.Service == "thief");
        await fleet.McpOkAsync("undeploy", "mine");
    }

    private async Task<List<string>> EverywhereAsync(string service)
    {
        var containers = new List<string>();
        foreach (var node in Fleet.Nodes)
            containers.AddRange((await fleet.ContainersAsync(node, service)).Select(c => $"{node} {c}"));
        return containers;
    }
}
