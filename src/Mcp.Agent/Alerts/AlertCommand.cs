using System.Diagnostics;
using System.Threading.Channels;
using Mcp.Daemon.Events;

namespace Mcp.Agent.Alerts;

/// <param name="Command">Program and arguments; empty: no alerts.</param>
/// <param name="On">Kinds of events that alert.</param>
public sealed record AlertOptions(IReadOnlyList<string> Command, IReadOnlySet<string> On)
{
    public static readonly IReadOnlyList<string> DefaultKinds =
    [
        "component.flapping", "deploy.failed", "drift.failed", "boot.late", "retire.failed", "certificate.failed", "certificate.expiring", "certificate.expired",
    ];

    /// <summary>All that an agent writes but alert.failed, which would alert about itself.</summary>
    public static readonly IReadOnlyList<string> AllKinds = [.. EventKinds.OfAgents.Where(k => k != EventKinds.AlertFailed)];
}

/// <summary>Runs the operator's command for events, one at a time, without a shell. The event is in its environment:
/// MCP_NODE, MCP_EVENT, MCP_SERVICE, MCP_COMPONENT, MCP_DETAIL, MCP_TIME. What waits beyond 100 events is dropped, oldest first.</summary>
public sealed class AlertCommand
{
    private const int MostWaiting = 100;
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(30);
    private readonly Channel<KeptEvent> _waiting = Channel.CreateBounded<KeptEvent>(new BoundedChannelOptions(MostWaiting) { FullMode = BoundedChannelFullMode.DropOldest });
    private readonly AgentConfig _config;
    private readonly EventsTable _events;

    public AlertCommand(AgentConfig config, EventsTable events)
    {
        _config = config;
        _events = events;
        if (config.Alerts.Command.Count > 0)
            events.Added += happened => _ = config.Alerts.On.Contains(happened.Kind) && _waiting.Writer.TryWrite(happened);
    }

    public async Task RunAsync(CancellationToken ct)
    {
        await foreach (var happened in _waiting.Reader.ReadAllAsync(ct))
        {
            if (await RunAsync(happened, ct) is { } failure)
                _events.Add(happened.Service, happened.Component, "alert.failed", $"{_config.Alerts.Command[0]} for {happened.Kind}: {failure}");
        }
    }

    /// <returns>What went wrong; null: nothing.</returns>
    private async Task<string?> RunAsync(KeptEvent happened, CancellationToken ct)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
        limit.CancelAfter(s_limit);
        try
        {
            using var process = Process.Start(Start(happened))!;
            process.StandardInput.Close();
            try
            {
                await process.WaitForExitAsync(limit.Token);
                return process.ExitCode == 0 ? null : $"exit code {process.ExitCode}";
            }
            catch (OperationCanceledException)
            {
                process.Kill(entireProcessTree: true);
                return $"killed after {s_limit.TotalSeconds:0} s";
            }
        }
        catch (System.ComponentModel.Win32Exception e)
        {
            return $"cannot be started: {new System.ComponentModel.Win32Exception(e.NativeErrorCode).Message}";
        }
    }

    private ProcessStartInfo Start(KeptEvent happened)
    {
        var start = new ProcessStartInfo(_config.Alerts.Command[0]) { RedirectStandardInput = true };
        foreach (var argument in _config.Alerts.Command.Skip(1))
            start.ArgumentList.Add(argument);
        start.Environment["MCP_NODE"] = _config.Name.Text;
        start.Environment["MCP_EVENT"] = happened.Kind;
        start.Environment["MCP_SERVICE"] = happened.Service;
        start.Environment["MCP_COMPONENT"] = happened.Component;
        start.Environment["MCP_DETAIL"] = happened.Detail;
        start.Environment["MCP_TIME"] = happened.Time.ToString("O");
        return start;
    }
}
