using Mcp.Agent.Deploy;
using Mcp.Agent.Deploy.Steps;
using Mcp.Agent.Ports;
using Mcp.Agent.Probes;
using Mcp.Agent.Proxy;
using Mcp.Agent.Reconcile;
using Mcp.Agent.Recovery;
using Mcp.Agent.Registry;
using Mcp.Agent.Volumes;
using Mcp.Daemon.Lifecycle;
using Mcp.Daemon.Operations;
using Mcp.Model.Definition;
using Mcp.Model.Deploy;
using Mcp.Model.Names;
using Mcp.Runtimes;
using Mcp.TestKit.Fakes;
using Microsoft.Extensions.Logging.Abstractions;

namespace Mcp.UnitTests.Agent;

/// <summary>An agent without its process: the real registry and all its decisions, on a fake runtime and a fake proxy. A second one on the same
/// directory and runtime is the agent after a kill -9.</summary>
internal sealed class World : IDisposable
{
    public static readonly Supervise Supervise = new(new FaultLog(NullLogger<FaultLog>.Instance), TimeProvider.System);
    private readonly HealthProbe _probe = new();

    /// <param name="vms">For microvms; null: this node has none.</param>
    public World(string directory, FakeRuntime runtime, IReadOnlyList<BootStage>? boot = null, FakeRuntime? vms = null, TimeProvider? time = null)
    {
        Runtime = runtime;
        Registry = AgentRegistry.Open(Path.Combine(directory, "registry.db"), TimeProvider.System);
        var kinds = new Dictionary<RuntimeKind, IRuntime> { [RuntimeKind.Container] = runtime };
        if (vms is not null)
            kinds[RuntimeKind.Microvm] = vms;
        var runtimes = new RuntimeSet(kinds, Registry.Components.AreTogether);
        var ports = Ports = new PortAllocator(Registry.Ports, 20000, 29999);
        Proxy = new FakeProxy(Registry, runtime);
        var locks = new ServiceLocks();
        var gate = new HealthGate(runtimes, ports, _probe);
        var retire = new RetireStep(runtimes, ports, Proxy, Registry.Events);
        Undeployer = new Undeployer(Registry, runtimes, ports, Proxy, locks);
        var planner = new Planner(HostPaths.Overlap);
        var outages = new Outages(TimeProvider.System);
        var starter = new Starter(runtimes, ports);
        Rollouts = new Rollouts(Label.Parse("alder"), Registry, runtimes, planner, outages);
        Deployer = new Deployer(
            [
                new PullStep(runtimes),
                new PortsStep(ports),
                new StartStep(starter, runtimes),
                new HealthGateStep(gate),
                new ReplaceStep(Registry, runtimes, Proxy, gate, new ReplaceParts(starter, planner, outages)),
                new SwitchStep(Registry.Components, Proxy, (_, _) => Task.CompletedTask),
                retire,
            ],
            Registry, Rollouts, Undeployer, locks);
        Control = new ServiceControl(Registry, runtimes, ports, Proxy, locks, retire);
        Adoption = new Adoption(Registry, runtimes, Proxy, locks);
        var restarts = Restarts = new RestartKeeper(time ?? TimeProvider.System);
        Control.Changed += restarts.Forget;
        Reconciler = new Reconciler(Registry, runtimes, Control, locks, restarts, retire);
        Resumer = new Resumer(Deployer, Undeployer, Registry.Operations, TimeProvider.System);
        Boot = new BootSequence(boot ?? [], Registry, Reconciler, restarts, gate);
    }

    public FakeRuntime Runtime { get; }

    public FakeProxy Proxy { get; }

    public PortAllocator Ports { get; }

    public AgentRegistry Registry { get; }

    public Rollouts Rollouts { get; }

    public ServiceControl Control { get; }

    public Deployer Deployer { get; }

    public Undeployer Undeployer { get; }

    public Adoption Adoption { get; }

    public Reconciler Reconciler { get; }

    public RestartKeeper Restarts { get; }

    public Resumer Resumer { get; }

    public BootSequence Boot { get; }

    public static ServiceDefinition Service(string name, string tag, string extra = "") => ServiceFile.Parse($"""
        name = "{name}"
        [[components]]
        name = "web"
        image = "example.com/hello:{tag}"
        {extra}
        [[components.routes]]
        name = "http"
        port = 8080
        """, "test");

    public Task DeployAsync(ServiceDefinition service) => Deployer.DeployAsync(service, DeployOptions.Default, null, default);

    /// <summary>What an agent does at its start, until nothing is left to do.</summary>
    public async Task RecoverAsync()
    {
        await Resumer.RoundAsync(Supervise.Log, default);
        await Reconciler.MendAsync(dryRun: false, default);
    }

    public async Task<string[]> RunningAsync() => [.. (await Runtime.ListAsync(default)).Where(i => i.State == Model.Instances.InstanceState.Running).Select(i => i.Name.ToString()).Order()];

    public async Task<string[]> InstancesAsync() => [.. (await Runtime.ListAsync(default)).Select(i => i.Name.ToString()).Order()];

    public void Dispose()
    {
        _probe.Dispose();
        Registry.Dispose();
    }
}

/// <summary>Sends each service's traffic where the registry pointed at the last push.</summary>
internal sealed class FakeProxy(AgentRegistry registry, FakeRuntime runtime) : INodeProxy
{
    public Dictionary<string, InstanceName> Targets { get; private set; } = [];

    public async Task PushAsync(CancellationToken ct)
    {
        await runtime.Hook("push");
        Targets = registry.Components.List().GroupBy(c => c.Service.Text).ToDictionary(s => s.Key, s => s.First().Instance);
        await runtime.Hook("pushed");
    }

    public List<TimeSpan> Drains { get; } = [];

    public Task DrainAsync(InstanceName instance, TimeSpan limit, CancellationToken ct)
    {
        Drains.Add(limit);
        return runtime.Hook("drain");
    }
}
