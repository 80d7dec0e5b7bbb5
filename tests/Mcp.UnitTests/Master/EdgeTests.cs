using Grpc.Core;
using Mcp.Daemon.Identity;
using Mcp.Daemon.Operations;
using Mcp.Master.Store;
using Mcp.Model.Errors;
using Mcp.Model.Names;
using Mcp.Model.Placement;
using Mcp.Protocol.Histories;
using Mcp.TestKit.Fakes;
using Microsoft.Extensions.Time.Testing;

namespace Mcp.UnitTests.Master;

/// <summary>The master's side of the edge: which node has which hostname, whatever fails.</summary>
public sealed class EdgeTests : IAsyncLifetime
{
    private readonly string _directory = Directory.CreateTempSubdirectory("mcp-edge-world").FullName;
    private readonly FakeNames _names = new();
    private CertificateAuthority _authority = null!;
    private FakeAgents _agents = null!;
    private MasterWorld _world = null!;

    private FakeAgent Elder => _agents["elder"];

    public async ValueTask InitializeAsync()
    {
        _authority = CertificateAuthority.Create(_directory, "test", TimeProvider.System.GetUtcNow());
        _agents = await FakeAgents.StartAsync(["alder", "beech", "elder", "fir"], _authority);
        _world = World();
    }

    public async ValueTask DisposeAsync()
    {
        _world.Dispose();
        await _agents.DisposeAsync();
        _authority.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    [Fact]
    public async Task Hostnames_are_shared_out_stay_and_follow_their_services()
    {
        foreach (var name in (string[])["a", "b", "c"])
            await _world.DeployAsync(MasterWorld.File(name));
        Assert.Equal(["a.example.com", "c.example.com"], Elder.Routes.Keys.Order(StringComparer.Ordinal));
        Assert.Equal(["b.example.com"], _agents["fir"].Routes.Keys);
        Assert.Equal("https://a.mcp.internal:8444", Elder.Routes["a.example.com"].Backend);
        _agents["beech"].OverlayPort = 9444;
        _world.Store.Nodes.Seen(Label.Parse("beech"), _agents["beech"].Facts, _agents["beech"].Status(""));
        await _world.DeployAsync(MasterWorld.File("a"), "beech");
        Assert.Equal("https://a.mcp.internal:9444", Elder.Routes["a.example.com"].Backend);
        var status = await _world.Node.View.StatusAsync(Label.Parse("a"), default);
        Assert.Equal(
            ("elder", 2070),
            (status.Components[0].Routes[0].Edge, status.Components[0].Routes[0].CertificateExpires.ToDateTime().Year));
        await _world.Node.Undeployer.UndeployAsync(Label.Parse("a"), default);
        Assert.Equal(["c.example.com"], Elder.Routes.Keys);
        Assert.Equal(["b.example.com", "c.example.com"], _world.Store.EdgeRoutes.List().Select(r => r.Hostname.Text));
    }

    [Fact]
    public async Task Every_request_to_an_agent_has_the_next_number_over_a_kill_of_the_master_and_with_its_clock_set_back()
    {
        using var killed = World(new FakeTimeProvider(TimeProvider.System.GetUtcNow().AddHours(1)));
        await killed.DeployAsync(MasterWorld.File("a"));
        await killed.Node.Undeployer.UndeployAsync(Label.Parse("a"), default);
        using var after = World();
        await after.DeployAsync(MasterWorld.File("a"));
        await after.Node.Undeployer.UndeployAsync(Label.Parse("a"), default);

        // Deploy and undeploy at the worker, set up and removed at the edge, twice each.
        var numbers = _agents.All.SelectMany(a => a.Numbers).OrderBy(n => n.Sequence).ToList();
        var standings = numbers.ConvertAll(n => StandingMapping.Read(n.Standing)!);
        Assert.Equal(8, numbers.Select(n => n.Sequence).Distinct().Count());
        var runs = standings.Chunk(4).ToList();
        Assert.All(runs, run => Assert.Single(run.Select(s => s.Epoch).Distinct()));
        Assert.All(runs, run => Assert.Equal(run.Select(s => s.Change).Distinct().Order(), run.Select(s => s.Change)));
        Assert.Equal(runs[0][0].Epoch, runs[1][0].Ancestors[0].Epoch);
        Assert.True(runs[1][0].Ancestors[0].Change >= runs[0][^1].Change && runs[1][0].Change > runs[1][0].Ancestors[0].Change);
    }

    [Fact]
    public async Task A_public_service_without_an_edge_node_is_refused_before_anything_is_touched()
    {
        foreach (var edge in (string[])["elder", "fir"])
            _world.Store.Nodes.Remove(Label.Parse(edge));
        var refused = await Assert.ThrowsAsync<McpException>(() => _world.DeployAsync(MasterWorld.File("blog")));
        Assert.Equal(ErrorCode.EdgeNone, refused.Code);
        Assert.Null(_world.Store.Placements.Find(Label.Parse("blog")));
        Assert.Empty(_agents["alder"].Services);
        Assert.Equal(
            ErrorCode.EdgeL4,
            (await Assert.ThrowsAsync<McpException>(() => _world.DeployAsync(MasterWorld.File("blog") + "\nmode = \"l4\""))).Code);
    }

    [Fact]
    public async Task One_that_refuses_has_nothing_and_the_same_deploy_goes_on()
    {
        Elder.Hook = (what, _) => what == "route"
            ? throw new McpException(ErrorCode.CertificateFile, "there is no certificate")
            : Task.CompletedTask;
        var failed = await Assert.ThrowsAsync<StepFailedException>(() => _world.DeployAsync(MasterWorld.File("blog")));
        Assert.Equal(("edge", "node elder: there is no certificate"), (failed.Step, failed.Reason.Message));
        Assert.Empty(_world.Store.EdgeRoutes.List());
        Elder.Hook = (_, _) => Task.CompletedTask;
        await _world.DeployAsync(MasterWorld.File("blog"));
        Assert.Single(Elder.Routes);
        Assert.Equal("alder", _world.Home("blog"));
    }

    [Fact]
    public async Task An_edge_node_that_tells_nonsense_stops_nobody_elses_routes()
    {
        await _world.DeployAsync(MasterWorld.File("a"));
        await _world.DeployAsync(MasterWorld.File("b"));
        Assert.Equal(["b.example.com"], _agents["fir"].Routes.Keys);
        _agents["fir"].Routes.Clear();
        Elder.Routes["a.example.com"].Certificate.Expires = new Google.Protobuf.WellKnownTypes.Timestamp
        {
            Seconds = long.MaxValue,
            Nanos = -1,
        };
        for (var i = 0; i < 300; i++)
        {
            Elder.Routes[$"x{i}.example.com"] = new Protocol.V1.EdgeRoute
            {
                Hostname = $"x{i}.example.com",
                Service = $"aa{i}",
                Backend = "https://x.mcp.internal:8444",
            };
        }

        var removals = 0;
        Elder.Hook = (what, _) => what == "unroute" && removals++ >= 0
            ? throw new McpException(ErrorCode.NodeBusy, "not now")
            : Task.CompletedTask;
        await _world.Node.Edge.MendAsync(default);
        Assert.Equal(["b.example.com"], _agents["fir"].Routes.Keys);
        Assert.Null(_world.Store.EdgeRoutes.List().Single(r => r.Hostname.Text == "a.example.com").CertificateExpires);
        Assert.Equal(1, removals);
    }

    [Theory]
    [InlineData("route", false)]
    [InlineData("routed", false)]
    [InlineData("route", true)]
    [InlineData("routed", true)]
    public async Task One_that_falls_silent_keeps_the_hostname_and_gets_it_later(string when, bool watches)
    {
        // It is asked while the service is watched, and once more after that.
        foreach (var agent in _agents.All)
            agent.Watches = watches;
        Silent(when);
        await Assert.ThrowsAsync<StepFailedException>(() => _world.DeployAsync(MasterWorld.File("blog")));
        Assert.Equal("elder", Assert.Single(_world.Store.EdgeRoutes.List()).Node.Text);
        Elder.Hook = (_, _) => Task.CompletedTask;
        await _world.DeployAsync(MasterWorld.File("blog"));
        Assert.Single(Elder.Routes);
        Assert.Empty(_agents["fir"].Routes);
    }

    [Fact]
    public async Task A_silent_edge_node_keeps_no_service_from_moving_and_hears_of_it_when_it_is_back()
    {
        await _world.DeployAsync(MasterWorld.File("blog"));
        _agents["beech"].OverlayPort = 9444;
        _world.Store.Nodes.Seen(Label.Parse("beech"), _agents["beech"].Facts, _agents["beech"].Status(""));
        Silent("route");
        await _world.DeployAsync(MasterWorld.File("blog"), "beech");
        Assert.Equal("beech", _world.Home("blog"));
        Assert.Equal("https://blog.mcp.internal:8444", Elder.Routes["blog.example.com"].Backend);
        Elder.Hook = (_, _) => Task.CompletedTask;
        await _world.Node.Edge.MendAsync(default);
        Assert.Equal("https://blog.mcp.internal:9444", Elder.Routes["blog.example.com"].Backend);
    }

    [Fact]
    public async Task Edge_nodes_become_what_the_placements_say()
    {
        await _world.DeployAsync(MasterWorld.File("blog"));
        Elder.Routes.Clear();
        Elder.Routes["old.example.com"] = new Protocol.V1.EdgeRoute
        {
            Hostname = "old.example.com",
            Service = "gone",
            Backend = "https://gone.mcp.internal:8444",
        };
        await _world.Node.Edge.MendAsync(default);
        Assert.Equal(["blog.example.com"], Elder.Routes.Keys);

        // Its node is removed: the next one takes over, and the first has nothing when it is back.
        _world.Store.Nodes.Remove(Label.Parse("elder"));
        await _world.Node.Edge.MendAsync(default);
        Assert.Equal(["blog.example.com"], _agents["fir"].Routes.Keys);
        _world.Store.Nodes.Joined(Label.Parse("elder"), Elder.Address, [NodeRole.Edge], "key");
        _world.Store.Nodes.Seen(Label.Parse("elder"), Elder.Facts, Elder.Status(""));
        await _world.Node.Edge.MendAsync(default);
        Assert.Empty(Elder.Routes);
        Assert.Equal(["blog.example.com"], _agents["fir"].Routes.Keys);

        // The master's own records are lost, and what it finds it takes.
        _world.Store.EdgeRoutes.Remove(MasterWorld.Host("blog.example.com"));
        await _world.Node.Edge.MendAsync(default);
        Assert.Equal("fir", Assert.Single(_world.Store.EdgeRoutes.List()).Node.Text);
    }

    [Fact]
    public async Task The_routes_of_a_service_whose_definition_cannot_be_read_stay()
    {
        await _world.DeployAsync(MasterWorld.File("blog"));
        await _world.DeployAsync(MasterWorld.File("shop"));
        await using (var connection = new Microsoft.Data.Sqlite.SqliteConnection(
            $"Data Source={Path.Combine(_directory, "master.db")};Pooling=False"))
        {
            await connection.OpenAsync(TestContext.Current.CancellationToken);
            await using var command = connection.CreateCommand();
            command.CommandText = "INSERT INTO revisions (id, body, made_at) VALUES ('1', 'of next year', '');"
                + "UPDATE placements SET revision = '1' WHERE service = 'blog'";
            await command.ExecuteNonQueryAsync(TestContext.Current.CancellationToken);
        }

        _agents["fir"].Routes.Clear();
        await _world.Node.Edge.MendAsync(default);
        Assert.Equal(["blog.example.com"], Elder.Routes.Keys);
        Assert.Equal(["shop.example.com"], _agents["fir"].Routes.Keys);
        Assert.Empty(await _world.Node.Undeployer.UndeployAsync(Label.Parse("blog"), default));
        Assert.Empty(Elder.Routes);
    }

    [Fact]
    public async Task A_hostname_whose_certificate_cannot_be_got_keeps_no_other_from_being_served()
    {
        var asked = 0;
        Elder.Hook = (what, _) => what == "route" && asked++ == 0
            ? throw new McpException(ErrorCode.AcmeRefused, "no certificate")
            : Task.CompletedTask;
        var two = MasterWorld.File("blog") + """

            [[components.routes]]
            name = "second"
            port = 8081
            hostname = "second.example.com"
            public = true
            """;
        var failed = await Assert.ThrowsAsync<StepFailedException>(() => _world.DeployAsync(two));
        Assert.Equal("edge", failed.Step);
        Assert.Equal(["second.example.com"], Elder.Routes.Keys);
    }

    [Fact]
    public async Task The_old_copy_of_a_move_stays_while_an_edge_node_sends_the_public_there()
    {
        await _world.DeployAsync(MasterWorld.File("blog"));
        _agents["beech"].OverlayPort = 9444;
        _world.Store.Nodes.Seen(Label.Parse("beech"), _agents["beech"].Facts, _agents["beech"].Status(""));
        Elder.Hook = (what, _) => what == "route"
            ? throw new McpException(ErrorCode.CertificateFile, "there is no certificate")
            : Task.CompletedTask;
        await Assert.ThrowsAsync<StepFailedException>(() => _world.DeployAsync(MasterWorld.File("blog"), "beech"));
        await _world.Node.Undeployer.SweepAsync(default);
        Assert.Contains("blog", _agents["alder"].Services.Keys);
        Assert.Contains("still sends blog.example.com", Assert.Single(_world.Store.Leftovers.List()).Error, StringComparison.Ordinal);
        Elder.Hook = (_, _) => Task.CompletedTask;
        await _world.Node.Edge.MendAsync(default);
        await _world.Node.Undeployer.SweepAsync(default);
        Assert.Empty(_agents["alder"].Services);
        Assert.Empty(_world.Store.Leftovers.List());
    }

    [Fact]
    public async Task What_could_not_be_removed_is_removed_later_and_not_from_a_service_deployed_anew()
    {
        await _world.DeployAsync(MasterWorld.File("blog"));
        Silent("unroute");
        Assert.Contains(
            "edge: node elder",
            Assert.Single(await _world.Node.Undeployer.UndeployAsync(Label.Parse("blog"), default)),
            StringComparison.Ordinal);
        Elder.Hook = (_, _) => Task.CompletedTask;
        await _world.DeployAsync(MasterWorld.File("blog"), "beech");
        await _world.Node.Undeployer.SweepAsync(default);
        Assert.Empty(_world.Store.Leftovers.List());
        Assert.Single(Elder.Routes);
        Assert.Equal("127.0.0.1", _names.Records["blog"].ToString());

        Silent("unroute");
        await _world.Node.Undeployer.UndeployAsync(Label.Parse("blog"), default);
        Elder.Hook = (_, _) => Task.CompletedTask;
        await _world.Node.Undeployer.SweepAsync(default);
        Assert.Empty(Elder.Routes);
        Assert.Empty(_world.Store.EdgeRoutes.List());
    }

    [Fact]
    public async Task A_certificate_for_a_hostname_is_for_the_node_that_has_it()
    {
        await _world.DeployAsync(MasterWorld.File("blog"));
        using var key = System.Security.Cryptography.ECDsa.Create();
        var request = new System.Security.Cryptography.X509Certificates.CertificateRequest(
            "CN=x",
            key,
            System.Security.Cryptography.HashAlgorithmName.SHA256).CreateSigningRequestPem();
        using var signed = _world.Node.Membership.IssueHostname(
            new Caller("elder", Role.Node, DateTimeOffset.MaxValue, "key"),
            "blog.example.com",
            request);
        Assert.True(signed.MatchesHostname("blog.example.com", allowWildcards: false, allowCommonName: false));
        foreach (var (node, hostname) in ((string, string)[])[
            ("fir", "blog.example.com"),
            ("alder", "blog.example.com"),
            ("elder", "other.example.com"),
            ("elder", "alder.node.mcp"),
            ("elder", ""),
        ])
            Assert.Equal(
                ErrorCode.CertificateElsewhere,
                Assert.Throws<McpException>(() => _world.Node.Membership.IssueHostname(
                    new Caller(node, Role.Node, DateTimeOffset.MaxValue, "key"),
                    hostname,
                    request)).Code);
    }

    [Theory]
    [InlineData("shop.mcp.internal")]
    [InlineData("mcp.internal")]
    [InlineData("alder.node.mcp")]
    [InlineData("master.mcp")]
    public void No_certificate_is_given_for_a_name_of_the_zone_or_of_the_fleet_whatever_routes_are_stored(string hostname)
    {
        _world.Store.EdgeRoutes.Set(new StoredEdgeRoute(MasterWorld.Host(hostname), Label.Parse("thief"), Label.Parse("elder"), null));
        using var key = System.Security.Cryptography.ECDsa.Create();
        var request = new System.Security.Cryptography.X509Certificates.CertificateRequest(
            "CN=x",
            key,
            System.Security.Cryptography.HashAlgorithmName.SHA256).CreateSigningRequestPem();
        var elder = new Caller("elder", Role.Node, DateTimeOffset.MaxValue, "key");
        Assert.Equal(
            ErrorCode.CertificateElsewhere,
            Assert.Throws<McpException>(() => _world.Node.Membership.IssueHostname(elder, hostname, request)).Code);
    }

    private MasterWorld World(TimeProvider? time = null) => new(_directory, _agents, _names, time, edges: ["elder", "fir"]);

    private void Silent(string when) =>
        Elder.Hook = (what, _) => what == when ? throw new RpcException(new Status(StatusCode.Unavailable, "cut")) : Task.CompletedTask;
}
