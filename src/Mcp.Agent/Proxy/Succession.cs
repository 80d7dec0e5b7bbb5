using System.Net;
using Mcp.Daemon.Events;
using Mcp.Daemon.Lifecycle;
using Mcp.Model.Errors;
using Mcp.Model.Events;

namespace Mcp.Agent.Proxy;

/// <summary>A proxy of this build and these settings in the place of the one that an agent finds at its start. Once: a proxy that this
/// agent started is what it can have.</summary>
internal sealed class Succession(AgentConfig config, ControlClient client, ProxyStarter starter, EventsTable events)
{
    private static readonly TimeSpan s_endLimit = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan s_firstPause = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan s_longestPause = TimeSpan.FromMinutes(5);
    private TimeSpan _pause = s_firstPause;
    private long _failed;
    private string? _told;
    private bool _isOver;

    /// <summary>Until it is to be tried; infinite: it is done.</summary>
    public TimeSpan Wait
    {
        get
        {
            if (_isOver)
                return Timeout.InfiniteTimeSpan;
            var left = _failed == 0 ? TimeSpan.Zero : _pause - TimeProvider.System.GetElapsedTime(_failed);
            return left > TimeSpan.Zero ? left : TimeSpan.Zero;
        }
    }

    /// <summary>The proxy is to be looked at again.</summary>
    public void Again() => _isOver = false;

    /// <summary>Nobody may push meanwhile.</summary>
    /// <returns>There is another proxy now, or none.</returns>
    public async Task<bool> TryAsync(FaultLog log, CancellationToken ct)
    {
        try
        {
            var replaced = await starter.AnswersAsync(ct) && await ReplaceAsync(ct);
            log.Over("replacing the node proxy");
            _isOver = true;
            return replaced;
        }
        catch (Exception e) when (
            e is McpException or HttpRequestException || (e is OperationCanceledException && !ct.IsCancellationRequested))
        {
            log.WriteOnce("replacing the node proxy", e);
            if (_told != e.Message)
                events.Add("", "", EventKind.ProxyOutdated, e.Message);
            _pause = _failed == 0 ? s_firstPause : _pause * 2 < s_longestPause ? _pause * 2 : s_longestPause;
            (_told, _failed) = (e.Message, TimeProvider.System.GetTimestamp());
            return false;
        }
    }

    private async Task<bool> ReplaceAsync(CancellationToken ct)
    {
        var who = await client.WhoAsync(ct);
        if (who is null)
            return await EndAsync("it was of an older version, which cannot hand its connections over", ct);
        var isThisBuild = who.Build == await Task.Run(ProxyBuild.OfThis, ct);
        if (isThisBuild && who.Options == config.ProxyFingerprint)
            return false;
        var why = isThisBuild ? "agent.toml has changed" : "mcp-agent is another build";
        if (PortsTaken.Overlapping(config, [.. who.Addresses.Select(IPEndPoint.Parse)]) is { } overlapping)
            return await EndAsync($"{why}, and {overlapping} overlaps an address of the old proxy", ct);
        await starter.TakeOverAsync(ct);
        events.Add("", "", EventKind.ProxyReplaced, why);
        return true;
    }

    // Nobody listens until the next one is started.
    private async Task<bool> EndAsync(string why, CancellationToken ct)
    {
        await client.EndAsync(ct);
        events.Add("", "", EventKind.ProxyRestarted, why);
        for (var began = TimeProvider.System.GetTimestamp(); await starter.AnswersAsync(ct); await Task.Delay(20, ct))
        {
            if (TimeProvider.System.GetElapsedTime(began) > s_endLimit)
                throw new McpException(ErrorCode.ProxyUnreachable, $"the old node proxy does not end ({why})");
        }

        return true;
    }
}
