using Mcp.Model.Events;

namespace Mcp.Daemon.Alerts;

/// <summary>[alerts] of agent.toml and master.toml.</summary>
public sealed record AlertOptions
{
    public static readonly AlertOptions Usual = new();

    /// <summary>Program and arguments; empty: no alerts.</summary>
    public IReadOnlyList<string> Command { get; init; } = [];

    /// <summary>Kinds of events that alert; empty: those that do by default.</summary>
    public IReadOnlyList<EventKind> On { get; init; } = [];

    public bool Has(EventKind kind) => On.Count > 0 ? On.Contains(kind) : kind.Alerts;
}
