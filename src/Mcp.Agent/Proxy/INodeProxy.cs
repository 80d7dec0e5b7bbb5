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

    /// <summary>Returns when no request is on its way to this instance, or after the limit.</summary>
    Task DrainAsync(InstanceName instance, TimeSpan limit, CancellationToken ct);

    /// <summary>Somebody listens there.</summary>
    Task<bool> AnswersAsync(CancellationToken ct);

    /// <summary>Starts it with the routes in force, and again where it is gone, until cancelled.</summary>
    Task KeepAsync(FaultLog log, CancellationToken ct);
}
