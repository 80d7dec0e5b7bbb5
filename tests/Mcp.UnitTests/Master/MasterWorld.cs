using System.Collections.Concurrent;
using System.Net;
using Mcp.Daemon.Operations;
using Mcp.Master;
using Mcp.Master.Deploy;
using Mcp.Master.Dns;
using Mcp.Master.Edge;
using Mcp.Master.Nodes;
using Mcp.Master.Store;
using Mcp.Model.Definition;
using Mcp.Model.Names;
using Mcp.Model.Placement;
using Mcp.Model.Revisions;
using Mcp.Model.Routes;
using Mcp.TestKit.Fakes;

namespace Mcp.UnitTests.Master;

/// <summary>A master without its process: the real store and all its decisions, with agents, DNS and edge in memory. A second one on the
/// same directory is the master after a kill -9.</summary>
internal sealed class MasterWorld : IDisposable
{
    private readonly FleetIdentity _identity;
    private readonly AgentPool _agents;

    /// <param name="waits">It gives up on no call to an agent: one that counts as killed must not wake up at a deadline and go on.</param>
    /// <param name="edges">The names of real edge nodes; none: the edge is in memory.</param>
    public MasterWorld(
        string directory,
        FakeAgents agents,
        FakeNames names,
        TimeProvider? time = null,
        bool waits = false,
        params string[] edges)
    {
        time ??= TimeProvider.System;
        Config = new MasterConfig
        {
            Name = Label.Parse("main"),
            Listen = IPEndPoint.Parse("127.0.0.1:7443"),
            State = directory,
            Domains = new AllowedDomains([Host("example.com")]),
            Heartbeat = TimeSpan.FromMinutes(1),
            CertificateLife = TimeSpan.FromDays(30),
            Settle = TimeSpan.Zero,
            Dns = new DnsOptions { Kind = DnsKind.None },
        };
        Store = MasterStore.Open(Path.Combine(directory, "master.db"), time);
        foreach (var agent in agents.All)
        {
            var role = edges.Contains(agent.Name) ? NodeRole.Edge : NodeRole.Worker;
            if (Store.Nodes.Find(Label.Parse(agent.Name)) is null)
                Store.Nodes.Joined(Label.Parse(agent.Name), agent.Address, [role], "key");
            Store.Nodes.Seen(Label.Parse(agent.Name), agent.Facts, agent.Status(""));
        }

        _identity = new FleetIdentity(Config, time);
        _agents = new AgentPool(() => _identity, waits ? new Ahead() : time);
        Node = new MasterParts(Config, Store, _identity, _agents, names, edges.Length == 0 ? names : null, time);
    }

    public MasterConfig Config { get; }

    public MasterStore Store { get; }

    public MasterParts Node { get; }

    public static Hostname Host(string text) => Hostname.TryParse(text, out var hostname) ? hostname : throw new ArgumentException(text);

    public static string File(string name, string tag = "v1", string extra = "") => $"""
        name = "{name}"
        {extra}
        [[components]]
        name = "web"
        image = "example.com/hello:{tag}"
        [[components.routes]]
        name = "http"
        port = 8080
        hostname = "{name}.example.com"
        public = true
        """;

    public Task DeployAsync(string file, string? moveTo = null, StepReport? report = null, CancellationToken ct = default) =>
        Node.Deployer.DeployAsync(Deployment(file) with { MoveTo = moveTo is null ? null : Label.Parse(moveTo) }, report, ct);

    public static FleetDeployment Deployment(string file) => FleetDeployment.Of(ServiceFile.Parse(file, "test"));

    /// <summary>What a master does at its start, until nothing is left to do.</summary>
    public async Task RecoverAsync()
    {
        foreach (var entry in Store.Operations.Open())
            await Node.Deployer.ResumeAsync(entry, default);
        await Node.Pending.LookAsync(default);
        await Node.Undeployer.SweepAsync(default);
    }

    public string? Home(string service) => Store.Placements.Find(Label.Parse(service))?.Node?.Text;

    public static Revision Revision(string file) => Mcp.Model.Revisions.Revision.Of(ServiceFile.Parse(file, "test"));

    public void Dispose()
    {
        _agents.Dispose();
        _identity.Dispose();
        Store.Dispose();
    }

    // Deadlines counted from its time lie beyond the test.
    private sealed class Ahead : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => base.GetUtcNow().AddHours(1);
    }
}

/// <summary>DNS and edge in memory: the in-memory kind of both interfaces.</summary>
internal sealed class FakeNames : IDnsProvider, IEdge
{
    public ConcurrentDictionary<string, IPAddress> Records { get; } = new();

    public ConcurrentDictionary<string, string> Routes { get; } = new();

    /// <summary>To which node each service's routes led last.</summary>
    public ConcurrentDictionary<string, string> Nodes { get; } = new();

    public Func<string, Task> Hook { get; set; } = _ => Task.CompletedTask;

    public string Name => "memory";

    public async Task SetAsync(string name, IPAddress node, CancellationToken ct)
    {
        await Hook("name");
        Records[name] = node;
        await Hook("named");
    }

    public async Task RemoveAsync(string name, CancellationToken ct)
    {
        await Hook("unname");
        Records.TryRemove(name, out _);
        await Hook("unnamed");
    }

    public Task<IReadOnlyList<DnsRecord>> ListOwnedAsync(CancellationToken ct) =>
        Task.FromResult<IReadOnlyList<DnsRecord>>([.. Records.Select(r => new DnsRecord(r.Key, r.Value))]);

    public void Check(ServiceDefinition service)
    {
    }

    public async Task<IReadOnlyList<string>> SetAsync(Label service, IReadOnlyList<Hostname> hostnames, Label node, CancellationToken ct)
    {
        await Hook("route");
        foreach (var hostname in hostnames)
            Routes[hostname.Text] = service.Text;
        Nodes[service.Text] = node.Text;
        foreach (var (gone, _) in Routes.Where(r => r.Value == service.Text && hostnames.All(h => h.Text != r.Key)))
            Routes.TryRemove(gone, out _);
        await Hook("routed");
        return [];
    }

    public Task<string?> StillElsewhereAsync(Label service, Label node, CancellationToken ct) => Task.FromResult<string?>(null);

    public async Task RemoveAsync(Label service, CancellationToken ct)
    {
        await Hook("unroute");
        foreach (var (gone, _) in Routes.Where(r => r.Value == service.Text))
            Routes.TryRemove(gone, out _);
        await Hook("unrouted");
    }
}
