using System.Diagnostics;
using System.Globalization;
using System.Text;
using Mcp.Agent.Deploy;
using Mcp.Agent.Ports;
using Mcp.Machine;
using Mcp.Model.Definition;
using Mcp.Model.Errors;
using Mcp.Model.Instances;
using Mcp.Model.Names;
using Mcp.Runtimes;

namespace Mcp.Agent.Probes;

/// <summary>Says whether an instance is well. Without a health check, a routed component must accept connections, any other must
/// run.</summary>
public sealed class HealthGate(RuntimeSet runtimes, PortAllocator ports, HealthProbe probe)
{
    private const int LastLines = 20;
    private static readonly TimeSpan s_acceptEvery = TimeSpan.FromMilliseconds(100);
    private const int AcceptTries = 150;

    /// <summary>Asks once.</summary>
    public async Task<HealthVerdict> AskAsync(ComponentDefinition component, InstanceName instance, CancellationToken ct)
    {
        var runtime = runtimes.For(component);
        var info = await runtime.InspectAsync(instance, ct);
        if (info is not { State: InstanceState.Running })
            return new HealthVerdict(false, "its state", info is null ? "it does not exist" : $"ended with {info.Ending}", Ended: true);
        return Effective(component) is { } check
            ? await probe.ProbeAsync(check, ports.HostPort(instance, component, check.Port ?? 0), instance, runtime, ct)
            : new HealthVerdict(true, "its state", "running");
    }

    /// <summary>Asks until it is well.</summary>
    /// <exception cref="McpException">health.failed: it ended, or its tries are over; with what was probed, what came back and the last log
    /// lines.</exception>
    public async Task WaitAsync(ComponentDefinition component, InstanceName instance, IProgress<string> progress, CancellationToken ct)
    {
        var runtime = runtimes.For(component);
        var check = Effective(component);
        HealthVerdict? last = null;
        for (var tries = 0; check is null || tries < check.Retries; tries++)
        {
            var info = await runtime.InspectAsync(instance, ct);
            if (info is not { State: InstanceState.Running })
                throw await FailureAsync(
                    runtime,
                    instance,
                    $"{instance} {(info is null ? "went away" : $"ended with {info.Ending}")} before it was well",
                    last,
                    ct);
            if (check is null)
                return;
            last = await probe.ProbeAsync(check, ports.HostPort(instance, component, check.Port ?? 0), instance, runtime, ct);
            if (last.Healthy)
                return;
            progress.Report(
                string.Create(CultureInfo.InvariantCulture, $"{component.Name}: probe {tries + 1} of {check.Retries}: {last.Answered}"));
            await Task.Delay(check.Interval, ct);
        }

        throw await FailureAsync(runtime, instance, $"{instance} was not well after {check.Retries} probes", last, ct);
    }

    /// <summary>Asks until it is well, it has ended, or the limit is over; says what it was at last.</summary>
    public async Task<HealthVerdict> SettleAsync(ComponentDefinition component, InstanceName instance, TimeSpan limit, CancellationToken ct)
    {
        var check = Effective(component);
        for (var clock = Stopwatch.StartNew(); ;)
        {
            var verdict = await AskAsync(component, instance, ct);
            if (verdict.Healthy || clock.Elapsed >= limit || verdict.Ended)
                return verdict;
            await Task.Delay(check?.Interval ?? s_acceptEvery, ct);
        }
    }

    private static HealthCheck? Effective(ComponentDefinition component)
    {
        var firstPort = component.Routes.Count > 0 ? component.Routes[0].Port : (int?)null;
        if (component.Health is { } health)
            return health with { Port = health.Port ?? firstPort };
        return firstPort is null
            ? null
            : new HealthCheck
            {
                Tcp = true,
                Port = firstPort,
                Interval = s_acceptEvery,
                Timeout = TimeSpan.FromSeconds(1),
                Retries = AcceptTries,
            };
    }

    private static async Task<McpException> FailureAsync(
        IRuntime runtime,
        InstanceName instance,
        string what,
        HealthVerdict? last,
        CancellationToken ct)
    {
        var text = new StringBuilder(what);
        if (last is not null)
            text.Append($"\n  probed: {last.Probed}\n  answer: {last.Answered}");
        using var limit = new Within(TimeSpan.FromSeconds(5), ct);
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
        return new McpException(ErrorCode.HealthFailed, text.ToString(), "correct the component or its health check");
    }
}
