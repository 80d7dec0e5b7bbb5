using Mcp.Agent.Deploy;
using Mcp.Agent.Deploy.Steps;
using Mcp.Agent.Ports;
using Mcp.Agent.Probes;
using Mcp.Agent.Proxy;
using Mcp.Agent.Reconcile;
using Mcp.Agent.Registry;
using Mcp.Model.Definition;
using Mcp.Runtimes;
using Mcp.Runtimes.Podman;

namespace Mcp.Agent;

/// <summary>The parts of a running agent, put together in one place.</summary>
public sealed class AgentNode : IDisposable
{
    private readonly PodmanRuntime _podman;
    private readonly HealthProbe _probe = new();

    public AgentNode(AgentConfig config, TimeProvider time)
    {
        Config = config;
        Registry = AgentRegistry.Open(config.Registry, time);
        _podman = new PodmanRuntime(config.Podman);
        Runtimes = new RuntimeSet(new Dictionary<RuntimeKind, IRuntime> { [RuntimeKind.Container] = _podman });
        Ports = new PortAllocator(Registry.Ports, config.Ports.First, config.Ports.Last);
        Proxy = new RoutePush(config, Registry, Ports);
        Restarts = new RestartKeeper(time);
        var locks = new ServiceLocks();
        var retire = new RetireStep(Runtimes, Ports, Proxy, Registry.Events);
        Deployer = new Deployer(
            [new PullStep(Runtimes), new PortsStep(Ports), new StartStep(Runtimes, Ports), new HealthGateStep(Runtimes, Ports, _probe), new SwitchStep(Registry.Components, Proxy), retire],
            Registry, locks);
        Control = new ServiceControl(Registry, Runtimes, Ports, Proxy, locks, retire);
        Reconciler = new Reconciler(Registry, Runtimes, Control, locks, Restarts, retire);
    }

    public AgentConfig Config { get; }

    public AgentRegistry Registry { get; }

    public RuntimeSet Runtimes { get; }

    public PortAllocator Ports { get; }

    public RoutePush Proxy { get; }

    public Deployer Deployer { get; }

    public ServiceControl Control { get; }

    public Reconciler Reconciler { get; }

    public RestartKeeper Restarts { get; }

    public void Dispose()
    {
        Proxy.Dispose();
        _probe.Dispose();
        _podman.Dispose();
        Registry.Dispose();
    }
}
