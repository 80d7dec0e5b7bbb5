using Mcp.Agent.Reconcile;
using Mcp.Agent.Registry;
using Mcp.Model.Drift;
using Mcp.Model.Instances;
using Mcp.Model.Names;
using Mcp.Runtimes;

namespace Mcp.Agent.Overview;

/// <summary>How a node's services are.</summary>
/// <param name="Silent">Runtimes that do not answer.</param>
public sealed record ServicesStatus(
    Label Node,
    IReadOnlyList<ComponentView> Components,
    IReadOnlyList<DriftItem> Drift,
    IReadOnlyList<RuntimeSight> Silent)
{
    /// <summary>What is wanted was not seen, or something else was: it may have come since.</summary>
    public bool IsInDoubt => Drift.Any(d => d.Repair is not (Repair.None or Repair.Report)) || Components.Any(c =>
        c is { Observed: null, Stored.Desired: DesiredState.Running, Sight: null or { Silent: null } });
}

/// <param name="Observed">Null: there is no such instance.</param>
/// <param name="Restarts">In a row.</param>
public sealed record ComponentView(StoredComponent Stored, InstanceInfo? Observed, int Restarts, IReadOnlyList<RouteView> Routes)
{
    /// <summary>Why its health check is not content; null: it is, or nobody knows.</summary>
    public string? Unhealthy { get; init; }

    /// <summary>What its health check said last, while it has time to become well; null: it was well, or nobody knows.</summary>
    public string? Starting { get; init; }

    /// <summary>What its runtime said last; null: nothing yet.</summary>
    public RuntimeSight? Sight { get; init; }
}

/// <param name="HostPort">The port on 127.0.0.1 that leads there; 0: there is none.</param>
/// <param name="Url">Where a client on this machine reaches it; empty: nowhere.</param>
public sealed record RouteView(Model.Definition.Route Route, int HostPort, string Url);
