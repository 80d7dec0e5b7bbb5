using Grpc.Core;
using Mcp.Daemon.Doors;
using Mcp.Daemon.Identity;
using Mcp.Daemon.Operations;
using Mcp.Master.Nodes;
using Mcp.Model.Definition;
using Mcp.Model.Errors;
using Mcp.Model.Names;
using Mcp.Protocol.V1;
using Mcp.TestKit.Fakes;
using Microsoft.Extensions.Time.Testing;

namespace Mcp.UnitTests.Master;

/// <summary>Agents that say more than they may: real gRPC servers.</summary>
public sealed class LoudAgentTests : IAsyncLifetime
{
    private readonly string _directory = Directory.CreateTempSubdirectory("mcp-loud").FullName;
    private readonly FakeNames _names = new();
    private CertificateAuthority _authority = null!;
    private FakeAgents _agents = null!;

    public async ValueTask InitializeAsync()
    {
        _authority = CertificateAuthority.Create(_directory, "test", TimeProvider.System.GetUtcNow());
        _agents = await FakeAgents.StartAsync(["alder", "loud"], _authority);
    }

    public async ValueTask DisposeAsync()
    {
        await _agents.DisposeAsync();
        _authority.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Progress_without_end_ends_the_deploy_with_an_error_and_a_watcher_that_is_slow_or_gone_costs_nothing(bool planned)
    {
        using var world = new MasterWorld(_directory, _agents, _names);
        var file = MasterWorld.File("blog");
        var plan = planned ? _agents["loud"].Plan(ServiceFile.Parse(file, "test"), new DeployRequest()).Id : null;
        var state = MasterWorld.Deployment(file) with { MoveTo = Label.Parse("loud"), Plan = plan };
        var endless = new StepEvent { Kind = StepEvent.Types.Kind.Progress, Step = "pull", Detail = new string('x', 4000) };
        _agents["loud"].Telling = async (output, ct) =>
        {
            while (!ct.IsCancellationRequested)
                await output.WriteAsync(endless, ct);
        };
        var before = GC.GetTotalMemory(forceFullCollection: true);
        using var gone = new CancellationTokenSource();
        var watcher = new Deaf();
        Task? deploy = null;
        using var work = new Work(Work.Deploy, "ann");
        var watched = StepStream.SendAsync(work, DeployAsync, watcher, gone.Token);
        var failed = await Assert.ThrowsAsync<StepFailedException>(() => deploy!.WaitAsync(TimeSpan.FromMinutes(2)));
        Assert.Equal(ErrorCode.NodeAnswer, failed.Reason.Code);
        Assert.Contains("node loud sent more than is allowed", failed.Reason.Message, StringComparison.Ordinal);
        // 400 MB were told, twice that as text; other tests hold some of this process' memory, too.
        Assert.InRange(GC.GetTotalMemory(forceFullCollection: true) - before, long.MinValue, 200_000_000);
        await gone.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => watched);
        // And the next one, elsewhere, goes as always.
        await world.DeployAsync(MasterWorld.File("shop"), "alder");
        Assert.Equal("alder", world.Home("shop"));

        async Task<StepEvent> DeployAsync()
        {
            await (deploy = world.Node.Deployer.CarryOutAsync(state, work, default));
            return new StepEvent();
        }
    }

    [Fact]
    public async Task Long_texts_of_an_agent_are_cut_wherever_they_go()
    {
        using var world = new MasterWorld(_directory, _agents, _names);
        var heard = new List<string>();
        _agents["loud"].Telling = (output, ct) => output.WriteAsync(
            new StepEvent { Kind = StepEvent.Types.Kind.Progress, Step = new string('s', 100_000), Detail = new string('d', 100_000) },
            ct);
        await world.DeployAsync(MasterWorld.File("blog"), "loud", (_, mark, detail) => heard.Add(detail));
        Assert.Contains(heard, h => h.Contains("ddd", StringComparison.Ordinal));
        Assert.All(heard, h => Assert.True(h.Length <= 2 * Texts.Longest + 1, $"{h.Length} long"));
        _agents["loud"].Hook = (what, _) => what == "deploy"
            ? throw new McpException(ErrorCode.ImagePull, new string('e', 7000))
            : Task.CompletedTask;
        var failed = await Assert.ThrowsAsync<StepFailedException>(() => world.DeployAsync(MasterWorld.File("blog", "v2")));
        Assert.InRange(failed.Reason.Message.Length, 1000, Texts.Longest + 100);
    }

    [Fact]
    public async Task A_status_that_is_too_long_or_has_too_many_parts_is_an_error_of_its_node_and_the_others_answer()
    {
        using var world = new MasterWorld(_directory, _agents, _names, waits: true);
        await world.DeployAsync(MasterWorld.File("shop"), "alder");
        var many = new StatusReply { Node = "loud" };
        // Two bytes each on the wire, and some hundred as objects.
        many.Components.AddRange(Enumerable.Repeat(new ComponentStatus(), 3_000_000));
        foreach (var told in (StatusReply[])[
            new() { Node = "loud", Components = { new ComponentStatus { Service = new string('x', 60_000_000) } } },
            many,
        ])
        {
            _agents["loud"].Told = told;
            var reply = await world.Node.View.StatusAsync(null, default);
            Assert.Contains(reply.Components, c => c is { Service: "shop", Node: "alder", Stale: false });
            Assert.Contains("sent more than is allowed", Assert.Single(reply.Unreachable).What, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task The_status_of_ten_thousand_components_of_one_node_is_told()
    {
        using var world = new MasterWorld(_directory, _agents, _names, waits: true);
        var told = _agents["loud"].Told = new StatusReply { Node = "loud" };
        for (var i = 0; i < 10_000; i++)
        {
            told.Components.Add(new ComponentStatus
            {
                Service = $"service-{i}",
                Component = "web",
                Image = "registry.example.com/team/some-application@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
                Runtime = "container",
                Generation = 1,
                Desired = "running",
                Observed = "running",
                Routes = { new RouteStatus
                {
                    Name = "http",
                    Mode = "l7",
                    Port = 8080,
                    HostPort = 20000,
                    Hostname = $"service-{i}.apps.example.com",
                } },
            });
        }

        var reply = await world.Node.View.StatusAsync(null, default);
        Assert.Empty(reply.Unreachable);
        Assert.Equal(10_000, reply.Components.Count(c => !c.Stale));
    }

    [Fact]
    public void What_a_heartbeat_tells_is_kept_short()
    {
        var facts = _agents["loud"].Facts;
        (facts.Zone, facts.Version, facts.Runtimes[0].Reason) = (new string('z', 3_900_000), new string('v', 5000), new string('r', 100_000));
        var kept = NodeTexts.Kept(facts);
        Assert.InRange(kept.CalculateSize(), 1, 10_000);
        Assert.Equal(facts.MemoryBytes, kept.MemoryBytes);
        facts.Runtimes.AddRange(Enumerable.Repeat(new RuntimeStatus(), 100));
        Assert.Equal(ErrorCode.NodeFacts, Assert.Throws<McpException>(() => NodeTexts.Kept(facts)).Code);
        // Of what ends, that which ends first.
        facts = _agents["alder"].Facts;
        facts.Endings.AddRange(Enumerable.Range(1, 100_000)
            .Select(i => new Ending { What = $"{i}", End = new Google.Protobuf.WellKnownTypes.Timestamp { Seconds = 100_000 - i } }));
        Assert.Equal(Enumerable.Range(0, 1000).Select(i => $"{100_000 - i}"), NodeTexts.Kept(facts).Endings.Select(e => e.What));
        // What this version does not know.
        var padded = NodeStatusReply.Parser.ParseFrom([
            .. Google.Protobuf.MessageExtensions.ToByteArray(_agents["alder"].Facts),
            0xFA,
            0x07,
            0x80,
            0x40,
            .. new byte[8192],
        ]);
        Assert.InRange(NodeTexts.Kept(padded).CalculateSize(), 1, 1000);
    }

    [Fact]
    public void A_heartbeat_sooner_than_a_quarter_of_the_interval_is_not_written_down()
    {
        var time = new FakeTimeProvider(TimeProvider.System.GetUtcNow());
        using var world = new MasterWorld(_directory, _agents, _names, time);
        var alder = world.Node.Nodes.Get(Label.Parse("alder"));
        time.Advance(TimeSpan.FromSeconds(14));
        Assert.False(world.Node.Nodes.IsNews(alder));
        Assert.True(world.Node.Nodes.IsNews(alder with { LastSeen = null }));
        // By a clock that was ahead and is right now.
        Assert.True(world.Node.Nodes.IsNews(alder with { LastSeen = time.GetUtcNow().AddHours(1) }));
        time.Advance(TimeSpan.FromSeconds(1));
        Assert.True(world.Node.Nodes.IsNews(alder));
    }

    [Fact]
    public async Task A_slow_watcher_misses_progress_and_no_result()
    {
        var feed = new StepFeed();
        for (var i = 0; i < 100_000; i++)
            feed.Add(new StepEvent { Kind = StepEvent.Types.Kind.Progress, Detail = $"{i}" });
        feed.Add(new StepEvent { Kind = StepEvent.Types.Kind.Done, Step = "pull" });
        feed.Add(new StepEvent { Kind = StepEvent.Types.Kind.Failed, Step = "health", Detail = new string('x', 1_000_000) });
        feed.Complete();
        var heard = new Heard();
        await feed.SendAsync(heard, default);
        Assert.InRange(heard.Events.Count, 3, 300);
        Assert.Equal(["pull", "health"], heard.Events.TakeLast(2).Select(e => e.Step));
        Assert.InRange(heard.Events[^1].Detail.Length, 4000, Texts.Longest);
    }

    // A client whose connection is there and that reads nothing.
    private sealed class Deaf : IServerStreamWriter<StepEvent>
    {
        public WriteOptions? WriteOptions { get; set; }

        public Task WriteAsync(StepEvent message) => WriteAsync(message, default);

        public Task WriteAsync(StepEvent message, CancellationToken cancellationToken) => Task.Delay(Timeout.Infinite, cancellationToken);
    }

    private sealed class Heard : IServerStreamWriter<StepEvent>
    {
        public List<StepEvent> Events { get; } = [];

        public WriteOptions? WriteOptions { get; set; }

        public Task WriteAsync(StepEvent message)
        {
            Events.Add(message);
            return Task.CompletedTask;
        }
    }
}
