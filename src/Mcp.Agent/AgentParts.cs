using Mcp.Agent.Deploy;
using Mcp.Agent.Deploy.Steps;
using Mcp.Agent.Edge;
using Mcp.Agent.Edge.Certificates;
using Mcp.Agent.Files;
using Mcp.Agent.Membership;
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
using Mcp.Daemon.Operations;
using Mcp.Model.Definition;
using Mcp.Model.Deploy;
using Mcp.Runtimes;
using Mcp.Runtimes.Images;
using Mcp.Runtimes.Podman;
using Mcp.Runtimes.Qemu;
using Mcp.Runtimes.Qemu.Network;

namespace Mcp.Agent;

/// <summary>The parts of a running agent, put together in one place.</summary>
public sealed class AgentParts : IDisposable
{
    // Requests wait for it.
    private static readonly Pace s_proxy = new(TimeSpan.FromMilliseconds(50), TimeSpan.FromSeconds(5));
    private readonly PodmanRuntime _podman;
    private readonly IsolatedBridge _bridge;
    private readonly HealthProbe _probe = new();
    private readonly Resumer _resumer;
    private readonly BootSequence _boot;
    private readonly AlertCommand _alerts;

    public AgentParts(AgentConfig config, TimeProvider time)
    {
        (Config, Time) = (config, time);
        Registry = AgentRegistry.Open(config.Registry, time);
        _podman = new PodmanRuntime(config.Podman);
        _bridge = new IsolatedBridge(config.Bridge.Name, config.Bridge.Network);
        Runtimes = new RuntimeSet(new Dictionary<RuntimeKind, IRuntime>
        {
            [RuntimeKind.Container] = _podman,
            [RuntimeKind.Microvm] = QemuRuntime.Microvms(config.Qemu, _bridge),
            [RuntimeKind.Unikernel] = QemuRuntime.Unikernels(config.Qemu, _bridge),
        }, Registry.Components.AreTogether);
        Ports = new PortAllocator(Registry.Ports, config.Ports.First, config.Ports.Last);
        Proxy = new RoutePush(config, Registry, Ports);
        Hostnames = new Hostnames(config, Registry.Components);
        Restarts = new RestartKeeper(time);
        Endings = new ExpiryWatch(Registry.Events, time);
        Files = new ServiceFiles(config.Files);
        Images = new ImageArchitectures(config.Qemu.AuthFile);
        Certificates = new ServiceCertificates(config, Registry, Proxy, time);
        var locks = new ServiceLocks();
        var gate = new HealthGate(Runtimes, Ports, _probe);
        var retire = new RetireStep(Runtimes, Ports, Proxy, Registry.Events);
        Edge = new EdgeRoutes(config, Registry, config.Edge is null ? null : new CertificateKeeper(new CertificateStore(config.EdgeCertificates, time), Source(config.Edge, time), Registry.Events, time), Proxy, locks, time);
        Undeployer = new Undeployer(Registry, Runtimes, Ports, Proxy, locks);
        var planner = new Planner(HostPaths.Overlap);
        var outages = new Outages(time);
        var starter = new Starter(Runtimes, Ports);
        Rollouts = new Rollouts(Config.Name, Registry, Runtimes, planner, outages);
        Deployer = new Deployer(
            [
                new PullStep(Runtimes),
                new PortsStep(Ports),
                new StartStep(starter, Runtimes),
                new HealthGateStep(gate),
                new ReplaceStep(Registry, Runtimes, Proxy, gate, new ReplaceParts(starter, planner, outages)),
                new SwitchStep(Registry.Components, Proxy, Certificates.EnsureAsync),
                retire,
            ],
            Registry, Rollouts, Undeployer, locks);
        Control = new ServiceControl(Registry, Runtimes, Ports, Proxy, locks, retire);
        Control.Changed += Restarts.Forget;
        Adoption = new Adoption(Registry, Runtimes, Proxy, locks);
        Reconciler = new Reconciler(Registry, Runtimes, Control, locks, Restarts, retire);
        _resumer = new Resumer(Deployer, Undeployer, Registry.Operations, time);
        _boot = new BootSequence(config.Boot, Registry, Reconciler, Restarts, gate);
        _alerts = new AlertCommand(config.Alerts, config.Name.Text, Registry.Events);
    }

    public AgentConfig Config { get; }

    public TimeProvider Time { get; }

    public AgentRegistry Registry { get; }

    public RuntimeSet Runtimes { get; }

    public PortAllocator Ports { get; }

    public RoutePush Proxy { get; }

    public Hostnames Hostnames { get; }

    /// <summary>Of services' names, in a fleet.</summary>
    public ServiceCertificates Certificates { get; }

    public EdgeRoutes Edge { get; }

    /// <summary>Of what this agent is known by.</summary>
    public ExpiryWatch Endings { get; }

    public ServiceFiles Files { get; }

    public ImageArchitectures Images { get; }

    public Rollouts Rollouts { get; }

    public Deployer Deployer { get; }

    public Undeployer Undeployer { get; }

    public ServiceControl Control { get; }

    public Adoption Adoption { get; }

    public Reconciler Reconciler { get; }

    public RestartKeeper Restarts { get; }

    /// <summary>Everything the agent does without being asked, until cancelled.</summary>
    public Task WorkAsync(Supervise supervise, CancellationToken ct)
    {
        _boot.Hold();
        // The resumer first: unfinished operations hold their services' locks, so the reconciler leaves those alone.
        return Task.WhenAll(
            supervise.KeepAsync("journal", t => _resumer.RunAsync(supervise.Log, t), ct),
            supervise.KeepAsync("proxy", t => Proxy.KeepAsync(supervise.Log, t), ct, s_proxy),
            Reconciler.RunAsync(supervise, ct),
            supervise.KeepAsync("boot sequence", _boot.RunAsync, ct),
            supervise.KeepAsync("alerts", _alerts.RunAsync, ct),
            supervise.KeepAsync("certificates", Certificates.RunAsync, ct),
            supervise.KeepAsync("edge", Edge.RunAsync, ct),
            supervise.KeepAsync("endings", Endings.RunAsync, ct));
    }

    private ICertificateSource Source(EdgeOptions edge, TimeProvider time) => edge.Certificates switch
    {
        CertificateKind.Internal => new InternalCa(() => Certificates.Member, time),
        CertificateKind.Acme => new Acme(edge, Path.Combine(Config.EdgeDirectory, "acme"), Config.AcmeRoot, Registry.Issuances, time),
        CertificateKind.Files => new OperatorFiles(edge.Files!),
    };

    public void Dispose()
    {
        Certificates.Dispose();
        Proxy.Dispose();
        _probe.Dispose();
        Runtimes.Dispose();
        _podman.Dispose();
        _bridge.Dispose();
        Registry.Dispose();
    }
}
