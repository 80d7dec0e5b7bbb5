using System.Text;
using Mcp.Agent.Ports;
using Mcp.Agent.Probes;
using Mcp.Daemon.Operations;
using Mcp.Model;
using Mcp.Model.Definition;
using Mcp.Model.Instances;
using Mcp.Model.Names;
using Mcp.Runtimes;

namespace Mcp.Agent.Deploy.Steps;

/// <summary>Waits until every new instance is well. Without a health check, a routed component must accept connections, any other must still run.</summary>
public sealed class HealthGateStep(RuntimeSet runtimes, PortAllocator ports, HealthProbe probe) : IStep<Deployment>
{
    private const int LastLines = 20;

    public string Name => "health";

    public async Task<Deployment> RunAsync(Deployment state, CancellationToken ct)
    {
        if (state.Service.Active)
        {
            foreach (var (component, instance, _) in state.Rolling())
                await GateAsync(component, instance, ct);
        }

        return state;
    }

    public Task UndoAsync(Deployment state, CancellationToken ct) => Task.CompletedTask;

    private async Task GateAsync(ComponentDefinition component, InstanceName instance, CancellationToken ct)
    {
        var runtime = runtimes.For(component);
        var check = Effective(component);
        HealthVerdict? last = null;
        for (var tries = 0; check is null || tries < check.Retries; tries++)
        {
            var info = await runtime.InspectAsync(instance, ct);
            if (info is not { State: InstanceState.Running or InstanceState.Starting })
                throw await FailureAsync(runtime, instance, $"{instance} ended with exit code {info?.ExitCode?.ToString(System.Globalization.CultureInfo.InvariantCulture) ?? "unknown"} before it was well", last, ct);
            if (check is null)
                return;
            last = await probe.ProbeAsync(check, ports.HostPort(instance, component, check.Port ?? 0), instance, runtime, ct);
            if (last.Healthy)
                return;
            await Task.Delay(check.Interval, ct);
        }

        throw await FailureAsync(runtime, instance, $"{instance} was not well after {check.Retries} probes", last, ct);
    }

    private static HealthCheck? Effective(ComponentDefinition component)
    {
        var firstPort = component.Routes.Count > 0 ? component.Routes[0].Port : (int?)null;
        if (component.Health is { } health)
            return health with { Port = health.Port ?? firstPort };
        return firstPort is null ? null : new HealthCheck(null, true, false, [], firstPort, TimeSpan.FromMilliseconds(100), TimeSpan.FromSeconds(1), 150);
    }

    private static async Task<McpException> FailureAsync(IRuntime runtime, InstanceName instance, string what, HealthVerdict? last, CancellationToken ct)
    {
        var text = new StringBuilder(what);
        if (last is not null)
            text.Append($"\n  probed: {last.Probed}\n  answer: {last.Answered}");
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
        limit.CancelAfter(TimeSpan.FromSeconds(5));
        var lines = new List<string>();
        try
        {
            await foreach (var line in runtime.LogsAsync(instance, new LogOptions(Tail: LastLines), limit.Token))
                lines.Add($"  | {line.Text}");
        }
        catch (Exception e) when (!ct.IsCancellationRequested)
        {
            lines.Add($"  (its log could not be read: {e.Message})");
        }

        text.Append(lines.Count == 0 ? "\n  it logged nothing" : $"\n  its last log lines:\n{string.Join('\n', lines)}");
        return new McpException("health.failed", text.ToString(), "the generation before was not touched; correct the component or its health check");
    }
}
