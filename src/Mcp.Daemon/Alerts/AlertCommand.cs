using System.ComponentModel;
using System.Diagnostics;
using System.Threading.Channels;
using Mcp.Daemon.Events;
using Mcp.Daemon.Storage;
using Mcp.Machine;
using Mcp.Model.Events;

namespace Mcp.Daemon.Alerts;

/// <summary>Runs the operator's command for events, one at a time, without a shell. The event is in its environment:
/// MCP_NODE, MCP_EVENT, MCP_SERVICE, MCP_COMPONENT, MCP_DETAIL, MCP_TIME. What waits beyond 100 events is dropped, oldest first.</summary>
public sealed class AlertCommand
{
    private const int MostWaiting = 100;
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(30);
    private static readonly BoundedChannelOptions s_waiting = new(MostWaiting) { FullMode = BoundedChannelFullMode.DropOldest };
    private readonly Channel<KeptEvent> _waiting = Channel.CreateBounded<KeptEvent>(s_waiting);
    private readonly AlertOptions _options;
    private readonly string _node;
    private readonly EventsTable _events;

    /// <param name="node">What the command is told as MCP_NODE.</param>
    public AlertCommand(AlertOptions options, string node, EventsTable events)
    {
        (_options, _node, _events) = (options, node, events);
        if (options.Command.Count > 0)
            events.Added += happened => _ = options.Has(happened.Kind) && _waiting.Writer.TryWrite(happened);
    }

    public async Task RunAsync(CancellationToken ct)
    {
        await foreach (var happened in _waiting.Reader.ReadAllAsync(ct))
        {
            if (await RunAsync(happened, ct) is not { } failure)
                continue;
            var what = $"{_options.Command[0]} for {happened.Kind}: {failure}";
            _events.Add(happened.Service, happened.Component, EventKind.AlertFailed, what);
        }
    }

    /// <returns>What went wrong; null: nothing.</returns>
    private async Task<string?> RunAsync(KeptEvent happened, CancellationToken ct)
    {
        using var limit = new Within(s_limit, ct);
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
        catch (Win32Exception e)
        {
            return $"cannot be started: {new Win32Exception(e.NativeErrorCode).Message}";
        }
    }

    private ProcessStartInfo Start(KeptEvent happened)
    {
        var start = new ProcessStartInfo(_options.Command[0]) { RedirectStandardInput = true };
        foreach (var argument in _options.Command.Skip(1))
            start.ArgumentList.Add(argument);
        start.Environment["MCP_NODE"] = _node;
        start.Environment["MCP_EVENT"] = happened.Kind.Text;
        start.Environment["MCP_SERVICE"] = happened.Service;
        start.Environment["MCP_COMPONENT"] = happened.Component;
        start.Environment["MCP_DETAIL"] = happened.Detail;
        start.Environment["MCP_TIME"] = happened.Time.ToText();
        return start;
    }
}
