using Mcp.Model.Definition.Keys;
using Mcp.Model.Names;

namespace Mcp.Model.Definition;

/// <summary>A named port of a component that others may reach.</summary>
public sealed record Route : IKeepsUnread<Route>
{
    public static readonly TimeSpan UsualIdleTimeout = TimeSpan.FromMinutes(5);
    public static readonly TimeSpan LongestIdleTimeout = TimeSpan.FromHours(24);

    public required Label Name { get; init; }

    /// <summary>Inside the instance.</summary>
    public required int Port { get; init; }

    public RouteMode Mode { get; init; }

    public Hostname? Hostname { get; init; }

    public bool Public { get; init; }

    /// <summary>How long a request, its answer or a WebSocket may go without a byte before it is ended.</summary>
    public TimeSpan IdleTimeout { get; init; } = UsualIdleTimeout;

    public Unread Unread { get; init; } = Unread.None;

    Route IKeepsUnread<Route>.With(Unread unread) => this with { Unread = unread };
}
