namespace Mcp.Daemon.Events;

/// <summary>All kinds of events, in one list: what is written, and what [alerts] may ask for. A kind that is not in it turns a test red. None is ever renamed.</summary>
public static class EventKinds
{
    /// <summary>An alert about itself would go on for ever.</summary>
    public const string AlertFailed = "alert.failed";

    /// <summary>Of agents and the master.</summary>
    private static readonly string[] s_both =
    [
        "deploy.done", "deploy.failed", "deploy.resumed", "undeploy.done",
        "certificate.expired", "certificate.expiring", "token.expiring",
    ];

    public static readonly IReadOnlyList<string> OfAgents =
    [
        .. s_both, AlertFailed, "boot.late", "boot.unknown", "certificate.failed", "certificate.renewed",
        "component.adopted", "component.flapping", "component.restarted", "component.started", "component.stopped",
        "deploy.undo_unwell", "deploy.undone", "drift.failed", "drift.mended", "edge.down", "edge.failed", "edge.moved", "edge.refused", "edge.up",
        "proxy.restarted", "retire.failed",
    ];

    public static readonly IReadOnlyList<string> OfTheMaster =
    [
        .. s_both, "definition.unreadable", "definition.well", "deploy.accepted", "dns.failed", "dns.mended", "dns.well", "edge.failed", "edge.mended",
        "node.cordoned", "node.draining", "node.joined", "node.reachable", "node.removed", "node.uncordoned", "node.unreachable", "node.zone", "node.zone.well",
        "undeploy.partial",
    ];
}
