using Mcp.Agent.Deploy;
using Mcp.Agent.Deploy.Steps;
using Mcp.Agent.Disks;
using Mcp.Agent.Edge;
using Mcp.Agent.Edge.Certificates;
using Mcp.Agent.Files;
using Mcp.Agent.Images;
using Mcp.Agent.Logs;
using Mcp.Agent.Membership;
using Mcp.Agent.Overview;
using Mcp.Agent.Ports;
using Mcp.Agent.Probes;
using Mcp.Agent.Proxy;
using Mcp.Agent.Reconcile;
using Mcp.Agent.Recovery;
using Mcp.Agent.Registry;
using Mcp.Agent.Volumes;
using Mcp.Daemon.Alerts;
using Mcp.Daemon.Identity;
using Mcp.Daemon.Lifecycle;
using Mcp.Machine;
using Mcp.Daemon.Operations;
using Mcp.Model.Deploy;
using Mcp.Model.Events;
using Mcp.Runtimes.Images;

namespace Mcp.Agent;

/// <summary>The parts of a running agent, put together in one place.</summary>
public sealed class AgentParts : IDisposable
{
    // Requests wait for it.
    private static readonly Pace s_proxy = new(TimeSpan.FromMilliseconds(50), TimeSpan.FromSeconds(5));
    private readonly NodeRuntimes _runtimes;
    private readonly RuntimeSet _guarded;
    private readonly HealthProbe _probe = new();
    private readonly AlertCommand _alerts;
    private readonly DetachedLogs _logs;
    private readonly LogKeeper _instanceLogs;
    private readonly ImagePulls _pulls;
    private readonly TimeProvider _time;

    /// <param name="runtimes">Ended with this.</param>
    /// <param name="proxy">Told what the registry says, and which ports there are.</param>
    /// <param name="run">Names this run of the machine (<see cref="MachineRun"/>).</param>
    public AgentParts(
        AgentConfig config,
        NodeRuntimes runtimes,
        Func<AgentRegistry, PortAllocator, INodeProxy> proxy,
        string run,
        TimeProvider time)
    {
        _runtimes = runtimes;
        _time = time;
        Registry = AgentRegistry.Open(config.Registry, time);
        var guarded = _guarded = new RuntimeSet(runtimes.ByKind, new NamedVolumes(config.Volumes), Registry.Components.AreTogether);
        Ports = new PortAllocator(Registry.Ports, config.Ports.First, config.Ports.Last);
        Proxy = proxy(Registry, Ports);
        var steady = new SteadyTime(time);
        Restarts = new RestartKeeper(steady);
        Endings = new ExpiryWatch(Registry.Events, time);
        Certificates = new ServiceCertificates(config, Registry, Proxy, time);
        var locks = new ServiceLocks();
        var gate = new HealthGate(guarded, Ports, _probe);
        var retire = new RetireStep(guarded, Ports, Proxy, Registry.Events);
        var planner = new Planner(HostPaths.Overlap, config.Volumes);
        var outages = new Outages(time);
        var pulls = _pulls = new ImagePulls(Registry, runtimes.Stocks);
        var starter = new Starter(guarded, Ports, pulls);
        var staying = new Staying(guarded, gate, planner);
        var mounts = new ImageMounts(guarded, Registry.KeptImages);
        var rollouts = new Rollouts(
            config.Name, Registry, guarded, planner, outages,
            new ImageParts(new NewImages(guarded, new RegistryImages(config.Qemu.AuthFile)), mounts));
        var undeployer = new Undeployer(Registry, guarded, Ports, Proxy, locks);
        var deployer = new Deployer(
            [
                new PullStep(guarded, pulls, mounts),
                new PortsStep(Ports, Registry.Components),
                new StartStep(starter, guarded, Proxy),
                new HealthGateStep(gate),
                new ReplaceStep(Registry, guarded, Proxy, gate, new ReplaceParts(starter, planner, outages, staying)),
                new SwitchStep(Registry.Components, Registry.Holds, Proxy, Certificates.EnsureAsync, run, time),
                new WatchStep(gate, run, time),
                retire,
            ],
            Registry, rollouts, undeployer, locks, staying);
        var control = new ServiceControl(Registry, guarded, starter, Proxy, locks, retire, gate);
        control.Changed += Restarts.Forget;
        var health = Health = new HealthKeeper(Registry, guarded, gate, locks, time);
        var reconciler = new Reconciler(
            Registry, guarded, control, locks, Restarts, retire, new Sight(guarded, Registry.Events, time));
        Services = new ServiceParts
        {
            Hostnames = new Hostnames(config, Registry.Components),
            Rollouts = rollouts,
            Deployer = deployer,
            Undeployer = undeployer,
            Control = control,
            Adoption = new Adoption(Registry, guarded, Proxy, locks),
            Locks = locks,
        };
        IReadOnlyCollection<IImageStock> stocks = [.. runtimes.Stocks.Values.Distinct()];
        var gauge = new DiskGauge();
        var disks = new NodeDisks(config.State, config.Volumes, Registry, stocks, gauge, time);
        Node = new NodeParts
        {
            Disks = disks,
            View = new NodeView(config, Registry.Components, guarded, Proxy, Endings, disks),
            Services = new ServicesView(config, Registry.Components, Ports, reconciler, Restarts, health),
            Runtimes = guarded,
            Volumes = new KeptVolumes(Registry, guarded, locks),
            Reconciler = reconciler,
            Edge = new EdgeRoutes(config, Registry, KeeperOf(config, time), Proxy, locks, time),
            Files = new ServiceFiles(config.Files),
            Architectures = new ImageArchitectures(config.Qemu.AuthFile),
            Images = new NodeImages(Registry, stocks, pulls, gauge, time),
        };
        Resumer = new Resumer(deployer, undeployer, Registry.Operations, steady);
        Boot = new BootSequence(config.Boot.Sequence, Registry, reconciler, Restarts, gate);
        _logs = new DetachedLogs([config.ProxyLog, config.PodmanLog], time);
        _instanceLogs = new LogKeeper(Registry.Components, guarded, time);
        _alerts = new AlertCommand(config.Alerts, config.Name.Text, Registry.Events);
    }

    public AgentRegistry Registry { get; }

    /// <summary>What changes services when somebody asks for it.</summary>
    public ServiceParts Services { get; }

    /// <summary>What answers for the node itself.</summary>
    public NodeParts Node { get; }

    public INodeProxy Proxy { get; }

    public PortAllocator Ports { get; }

    public RestartKeeper Restarts { get; }

    /// <summary>What is asked of components after their deploy.</summary>
    public HealthKeeper Health { get; }

    public Resumer Resumer { get; }

    public BootSequence Boot { get; }

    /// <summary>Of services' names, in a fleet.</summary>
    public ServiceCertificates Certificates { get; }

    /// <summary>Of what this agent is known by.</summary>
    public ExpiryWatch Endings { get; }

    /// <summary>Everything the agent does without being asked, until cancelled.</summary>
    public Task WorkAsync(Supervise supervise, CancellationToken ct)
    {
        Boot.Hold();
        // The resumer first: unfinished operations hold their services' locks, so the reconciler leaves those alone.
        return Task.WhenAll(
            supervise.KeepAsync("journal", t => Resumer.RunAsync(supervise.Log, t), ct),
            supervise.KeepAsync("runtimes", KeepRuntimesAsync, ct),
            supervise.KeepAsync("logs of containers", _runtimes.KeepLogsAsync, ct),
            supervise.KeepAsync("proxy", t => Proxy.KeepAsync(supervise.Log, t), ct, s_proxy),
            Node.Reconciler.RunAsync(supervise, ct),
            supervise.KeepAsync("health", Health.RunAsync, ct),
            supervise.KeepAsync("boot sequence", Boot.RunAsync, ct),
            supervise.KeepAsync("alerts", _alerts.RunAsync, ct),
            supervise.KeepAsync("certificates", Certificates.RunAsync, ct),
            supervise.KeepAsync("edge", Node.Edge.RunAsync, ct),
            supervise.KeepAsync("disks", Node.Disks.RunAsync, ct),
            supervise.KeepAsync("images", Node.Images.RunAsync, ct),
            supervise.KeepAsync("logs of programs", _logs.RunAsync, ct),
            supervise.KeepAsync("logs of instances", _instanceLogs.RunAsync, ct),
            supervise.KeepAsync("volumes", t => Node.Runtimes.Volumes.RunAsync(supervise.Log, _time, t), ct),
            supervise.KeepAsync("endings", Endings.RunAsync, ct));
    }

    private Task KeepRuntimesAsync(CancellationToken ct) =>
        _runtimes.KeepAsync(what => Registry.Events.Add("", "", EventKind.RuntimeReplaced, what), ct);

    private CertificateKeeper? KeeperOf(AgentConfig config, TimeProvider time) => config.Edge is { } edge
        ? new CertificateKeeper(new CertificateStore(config.EdgeCertificates, time), Source(config, edge, time), Registry.Events, time)
        : null;

    private ICertificateSource Source(AgentConfig config, EdgeOptions edge, TimeProvider time) => edge.Certificates switch
    {
        CertificateKind.Internal => new InternalCa(() => Certificates.Member, time),
        CertificateKind.Acme => new Acme(edge, Path.Combine(config.EdgeDirectory, "acme"), config.AcmeRoot, Registry.Issuances, time),
        CertificateKind.Files => new OperatorFiles(edge.Files!),
    };

    public void Dispose()
    {
        Certificates.Dispose();
        (Proxy as IDisposable)?.Dispose();
        Health.Dispose();
        Node.Reconciler.Dispose();
        _probe.Dispose();
        _guarded.Dispose();
        _pulls.Dispose();
        Node.Images.Dispose();
        Node.Disks.Dispose();
        _runtimes.Dispose();
        Registry.Dispose();
    }
}
