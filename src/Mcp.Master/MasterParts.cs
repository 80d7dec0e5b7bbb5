using Mcp.Daemon.Alerts;
using Mcp.Daemon.Identity;
using Mcp.Daemon.Lifecycle;
using Mcp.Daemon.Operations;
using Mcp.Master.Deploy;
using Mcp.Master.Deploy.Steps;
using Mcp.Master.Dns;
using Mcp.Master.Edge;
using Mcp.Master.Fleet;
using Mcp.Master.Nodes;
using Mcp.Master.Store;
using Mcp.Model.Definition;

namespace Mcp.Master;

/// <summary>The parts of a running master, put together in one place.</summary>
public sealed class MasterParts
{
    private static readonly TimeSpan s_sweep = TimeSpan.FromSeconds(5);
    private readonly TimeProvider _time;
    private readonly AlertCommand _alerts;

    /// <param name="edge">Null: the fleet's own edge nodes.</param>
    public MasterParts(
        MasterConfig config,
        MasterStore store,
        FleetIdentity identity,
        AgentPool agents,
        IDnsProvider? dns,
        IEdge? edge,
        TimeProvider time)
    {
        _time = time;
        Config = config;
        Store = store;
        Agents = agents;
        Nodes = new NodeDirectory(config, store, time);
        Membership = new Membership(store, identity, config.Zone.Text, time);
        Images = new CommonArchitectures(agents, store);
        var locks = Locks = new ServiceLocks();
        var coordinator = new EdgeCoordinator(Nodes, agents, store, config.Zone, config.Dns.Resolver(config.Listen));
        var ways = edge ?? coordinator;
        var (names, wayIn, record) = (new DnsStep(Nodes, dns), new EdgeStep(ways), new RecordStep(store));
        var agentStep = new AgentStep(Nodes, agents, store, new WaysIn(names, ways, store));
        var copies = new OldCopies(agentStep, names, ways, store, config.Settle, time);
        var running = new NodeDefinitions(Nodes, agents, store);
        Place = new PlaceStep(Nodes, Images, running, store);
        Undeployer = new FleetUndeployer([agentStep, wayIn, names, record], copies, store, locks);
        Deployer = new FleetDeployer(
            [Place, agentStep, names, wayIn, record, new LeaveStep(copies, store)],
            store,
            Check,
            running,
            Undeployer,
            locks);
        Cancellation = new FleetCancellation(locks, Nodes, agents, store);
        Pending = new PendingPlacements(running, store, locks);
        Drainer = new Drainer(Nodes, store, Deployer, Undeployer);
        Dns = dns is null ? null : new DnsReconciler(dns, store, locks, time);
        Edge = new EdgeReconciler(coordinator, Nodes, agents, store, locks, time);
        Routes = new FleetRoutes(agents, store);
        Names = new FleetNames(config.Zone, dns, store);
        View = new FleetView(Nodes, agents, store);
        Adopter = new FleetAdopter(View, agents, store, Deployer, locks);
        Definitions = new DefinitionWatch(store, time);
        Events = new FleetEvents(agents, store, time);
        Endings = new ExpiryWatch(store.Events, time);
        Endings.Watch(() => identity.Endings);
        _alerts = new AlertCommand(config.Alerts, config.Name.Text, store.Events);

        void Check(ServiceDefinition service)
        {
            config.Domains.Check(service);
            store.Hostnames.Check(service);
            ways.Check(service);
        }
    }

    public MasterConfig Config { get; }

    public MasterStore Store { get; }

    public AgentPool Agents { get; }

    /// <summary>What is being done to each service.</summary>
    public ServiceLocks Locks { get; }

    public NodeDirectory Nodes { get; }

    public Membership Membership { get; }

    public CommonArchitectures Images { get; }

    public PlaceStep Place { get; }

    public FleetDeployer Deployer { get; }

    public FleetUndeployer Undeployer { get; }

    public FleetCancellation Cancellation { get; }

    public Drainer Drainer { get; }

    public PendingPlacements Pending { get; }

    public FleetAdopter Adopter { get; }

    public DefinitionWatch Definitions { get; }

    /// <summary>Null: no DNS is wanted.</summary>
    public DnsReconciler? Dns { get; }

    public EdgeReconciler Edge { get; }

    public FleetRoutes Routes { get; }

    public FleetNames Names { get; }

    public FleetView View { get; }

    public FleetEvents Events { get; }

    /// <summary>Of what the master is known by.</summary>
    public ExpiryWatch Endings { get; }

    /// <summary>Everything the master does without being asked, until cancelled: finishes what a kill interrupted,
    /// removes what could not be removed, sees nodes fall silent.</summary>
    public Task WorkAsync(Supervise supervise, CancellationToken ct) => Task.WhenAll(
        supervise.KeepAsync("nodes", Nodes.WatchAsync, ct),
        supervise.KeepAsync("journal", ResumeAsync, ct),
        supervise.KeepAsync("pending", PendingAsync, ct),
        supervise.KeepAsync("leftovers", SweepAsync, ct),
        Dns is null ? Task.CompletedTask : supervise.KeepAsync("dns", Dns.RunAsync, ct),
        supervise.KeepAsync("edge", Edge.RunAsync, ct),
        supervise.KeepAsync("definitions", Definitions.RunAsync, ct),
        supervise.KeepAsync("endings", Endings.RunAsync, ct),
        supervise.KeepAsync("alerts", _alerts.RunAsync, ct));

    private Task ResumeAsync(CancellationToken ct) =>
        Task.WhenAll(Store.Operations.Open()
            .Where(e => !Deployer.IsActive(e.Id) && !Undeployer.IsActive(e.Id))
            .Select(e => Deployer.ResumeAsync(e, ct))
            .ToList());

    private async Task SweepAsync(CancellationToken ct)
    {
        try
        {
            await Supervise.EachAsync(s_sweep, Undeployer.BeginSweepsAsync, _time, ct);
        }
        finally
        {
            // At the master's end; after a failure they simply go on.
            if (ct.IsCancellationRequested)
                await Undeployer.EndSweepsAsync();
        }
    }

    private Task PendingAsync(CancellationToken ct) => Supervise.EachAsync(s_sweep, Pending.LookAsync, _time, ct);
}
