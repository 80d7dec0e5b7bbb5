using Mcp.Agent;
using Mcp.Agent.Deploy;
using Mcp.Agent.Disks;
using Mcp.Agent.Images;
using Mcp.Agent.Overview;
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
using Mcp.Model.Instances;
using Mcp.Model.Names;
using Mcp.Runtimes;
using Mcp.Runtimes.Images;
using Mcp.TestKit.Fakes;
using Microsoft.Extensions.Logging.Abstractions;

namespace Mcp.UnitTests.Agent;

/// <summary>An agent without its process: the real registry and all its decisions, on a fake runtime and a fake proxy. A second one on the
/// same directory and runtime is the agent after a kill -9.</summary>
internal sealed class World : IDisposable
{
    public static readonly Supervise Supervise = new(new FaultLog(NullLogger<FaultLog>.Instance), TimeProvider.System);
    private readonly AgentParts _parts;

    /// <param name="vms">For microvms; null: this node has none.</param>
    /// <param name="run">Of the machine: another one is it after a reboot.</param>
    /// <param name="stock">Where the runtime's images lie; null: nobody knows.</param>
    public World(
        string directory,
        FakeRuntime runtime,
        IReadOnlyList<BootStage>? boot = null,
        FakeRuntime? vms = null,
        TimeProvider? time = null,
        string run = "one",
        FakeStock? stock = null)
    {
        Runtime = runtime;
        var kinds = new Dictionary<RuntimeKind, IRuntime> { [RuntimeKind.Container] = runtime };
        if (vms is not null)
            kinds[RuntimeKind.Microvm] = vms;
        var config = Config(directory) with { Boot = new BootOptions { Sequence = boot ?? [] } };
        // The runtimes outlive the agent, as real ones do.
        _parts = new AgentParts(
            config,
            stock is null
                ? new NodeRuntimes(kinds)
                : new NodeRuntimes(kinds) { Stocks = new Dictionary<RuntimeKind, IImageStock> { [RuntimeKind.Container] = stock } },
            (registry, _) => new FakeProxy(registry, runtime),
            run,
            time ?? TimeProvider.System);
    }

    public FakeRuntime Runtime { get; }

    public FakeProxy Proxy => (FakeProxy)_parts.Proxy;

    public PortAllocator Ports => _parts.Ports;

    public AgentRegistry Registry => _parts.Registry;

    public HealthKeeper Health => _parts.Health;

    public Rollouts Rollouts => _parts.Services.Rollouts;

    public ServiceLocks Locks => _parts.Services.Locks;

    public ServiceControl Control => _parts.Services.Control;

    public ServicesView Services => _parts.Node.Services;

    public Deployer Deployer => _parts.Services.Deployer;

    public Undeployer Undeployer => _parts.Services.Undeployer;

    public Adoption Adoption => _parts.Services.Adoption;

    public KeptVolumes Volumes => _parts.Node.Volumes;

    public NamedVolumes NamedVolumes => _parts.Node.Runtimes.Volumes;

    public RuntimeSet Runtimes => _parts.Node.Runtimes;

    public NodeImages Images => _parts.Node.Images;

    public NodeDisks Disks => _parts.Node.Disks;

    public Reconciler Reconciler => _parts.Node.Reconciler;

    public RestartKeeper Restarts => _parts.Restarts;

    public Resumer Resumer => _parts.Resumer;

    public BootSequence Boot => _parts.Boot;

    public static ServiceDefinition Service(string name, string tag, string extra = "") => ServiceFile.Parse($"""
        name = "{name}"
        [[components]]
        name = "web"
        image = "example.com/hello:{tag}"
        {(extra.Contains("watch", StringComparison.Ordinal) ? "" : "watch = \"0s\"")}
        {extra}
        [[components.routes]]
        name = "http"
        port = 8080
        """, "test");

    public Task DeployAsync(ServiceDefinition service) => Deployer.DeployAsync(service, DeployOptions.Default, null, default);

    /// <summary>What an agent does at its start, until nothing is left to do.</summary>
    public async Task RecoverAsync()
    {
        await NamedVolumes.SweepAsync(default);
        await Resumer.RoundAsync(Supervise.Log, default);
        await Reconciler.MendAsync(dryRun: false, default);
    }

    public async Task<string[]> RunningAsync()
    {
        var running = (await Runtime.ListAsync(default)).Where(i => i.State == InstanceState.Running);
        return [.. running.Select(i => i.Name.ToString()).Order()];
    }

    public async Task<string[]> InstancesAsync() => [.. (await Runtime.ListAsync(default)).Select(i => i.Name.ToString()).Order()];

    public void Dispose() => _parts.Dispose();

    private static AgentConfig Config(string directory)
    {
        var file = Path.Combine(directory, "agent.toml");
        File.WriteAllText(file, $"""
            name = "alder"
            listen = "127.0.0.1:7443"
            state = "{directory}"

            """);
        return AgentConfig.Read(file);
    }
}

/// <summary>Sends each service's traffic where the registry pointed at the last push.</summary>
internal sealed class FakeProxy(AgentRegistry registry, FakeRuntime runtime) : INodeProxy
{
    public Dictionary<string, InstanceName> Targets { get; private set; } = [];

    public string? Fault => null;

    public async Task PushAsync(CancellationToken ct)
    {
        await runtime.Hook("push");
        Targets = registry.Components.List().GroupBy(c => c.Service.Text).ToDictionary(s => s.Key, s => s.First().Instance);
        await runtime.Hook("pushed");
    }

    public List<TimeSpan> Drains { get; } = [];

    public Task DrainAsync(InstanceName instance, TimeSpan limit, Draining what, CancellationToken ct)
    {
        Drains.Add(limit);
        return runtime.Hook("drain");
    }

    public Task<bool> AnswersAsync(CancellationToken ct) => Task.FromResult(true);

    public Task KeepAsync(FaultLog log, CancellationToken ct) => PushAsync(ct);
}

/// <summary>What nobody waits for and nobody follows.</summary>
internal static class Unwatched
{
    public static Task<IReadOnlyList<string>> StartAsync(
        this ServiceControl control,
        Label service,
        Label? component,
        CancellationToken ct) => DoAsync(work => control.StartAsync(service, component, work, ct));

    public static Task<IReadOnlyList<string>> StopAsync(
        this ServiceControl control,
        Label service,
        Label? component,
        CancellationToken ct) => DoAsync(work => control.StopAsync(service, component, work, ct));

    public static Task<IReadOnlyList<string>> RestartAsync(
        this ServiceControl control,
        Label service,
        Label? component,
        CancellationToken ct) => DoAsync(work => control.RestartAsync(service, component, work, ct));

    private static async Task<IReadOnlyList<string>> DoAsync(Func<Work, Task<IReadOnlyList<string>>> change)
    {
        using var work = new Work("change", "");
        return await change(work);
    }
}
