using Mcp.Daemon.Lifecycle;
using Mcp.Model.Errors;
using Mcp.Model.Names;

namespace Mcp.Agent.Proxy;

/// <summary>The node proxy as the agent sees it.</summary>
public interface INodeProxy
{
    /// <summary>Makes it carry what the registry says now. Safe to repeat.</summary>
    /// <exception cref="McpException">proxy.unreachable, proxy.start</exception>
    Task PushAsync(CancellationToken ct);

    /// <summary>Why it is not there; null: it is, as far as is known.</summary>
    string? Fault { get; }

    /// <summary>Returns when nothing is on its way to this instance, or after the limit.</summary>
    /// <param name="what">What is waited for.</param>
    Task DrainAsync(InstanceName instance, TimeSpan limit, Draining what, CancellationToken ct);

    /// <summary>Somebody listens there.</summary>
    Task<bool> AnswersAsync(CancellationToken ct);

    /// <summary>The same for what takes something back: a proxy that cannot be started passes nothing on, and takes what the registry says
    /// then when it can.</summary>
    async Task PushIfThereAsync(CancellationToken ct)
    {
        try
        {
            await PushAsync(ct);
        }
        catch (McpException e) when (e.Code == ErrorCode.ProxyStart)
        {
            // Its keeper tells why, and tries again.
        }
    }

    /// <summary>Starts it with the routes in force, and again where it is gone, until cancelled.</summary>
    Task KeepAsync(FaultLog log, CancellationToken ct);
}

/// <summary>What an instance may finish before it is stopped.</summary>
public enum Draining
{
    /// <summary>Requests and WebSockets.</summary>
    All,

    /// <summary>Requests alone: others wait meanwhile, and a WebSocket does not end by itself.</summary>
    Requests,
}
