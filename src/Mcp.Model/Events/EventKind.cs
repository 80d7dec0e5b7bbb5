namespace Mcp.Model.Events;

/// <summary>What happened, for programs and people. All there are stand here; a text is never changed or given to something else,
/// for other programs match on it.</summary>
/// <remarks>A record, not an enum: what another version wrote is kept as it is, and is equal to itself.</remarks>
public sealed record EventKind
{
    private const EventSource Agent = EventSource.Agent;
    private const EventSource Master = EventSource.Master;
    private const EventSource Both = Agent | Master;

    // Before the kinds: each enters itself.
    private static readonly Dictionary<string, EventKind> s_byText = new(StringComparer.Ordinal);

    public static readonly EventKind AlertFailed = New("alert.failed", Both, "The command of [alerts] failed or took too long.");
    public static readonly EventKind BootLate = New(
        "boot.late", Agent, "A stage of the boot sequence was not well in time.", alerts: true);
    public static readonly EventKind BootUnknown = New(
        "boot.unknown", Agent, "The boot sequence names a service that is not on this node.");
    public static readonly EventKind BootWell = New("boot.well", Agent, "A stage of the boot sequence that was late is well.");
    public static readonly EventKind CertificateExpired = New(
        "certificate.expired", Both, "A certificate or a CA has ended.", alerts: true);
    public static readonly EventKind CertificateExpiring = New(
        "certificate.expiring", Both, "A certificate or a CA ends soon, and nothing has renewed it.", alerts: true);
    public static readonly EventKind CertificateFailed = New(
        "certificate.failed", Agent, "A certificate could not be obtained or renewed.", alerts: true);
    public static readonly EventKind CertificateRenewed = New("certificate.renewed", Both, "There is a new certificate.");
    public static readonly EventKind ComponentAdopted = New(
        "component.adopted", Agent, "An instance that the registry had lost was added to it again.");
    public static readonly EventKind ComponentFlapping = New(
        "component.flapping", Agent, "A component keeps ending.", alerts: true);
    public static readonly EventKind ComponentHealed = New(
        "component.healed", Agent, "A component that was not well was stopped and started again.", alerts: true);
    public static readonly EventKind ComponentRestarted = New("component.restarted", Agent, "A person restarted a component.");
    public static readonly EventKind ComponentStarted = New("component.started", Agent, "A person started a component.");
    public static readonly EventKind ComponentStopped = New("component.stopped", Agent, "A person stopped a component.");
    public static readonly EventKind ComponentUnhealthy = New(
        "component.unhealthy", Agent, "A component that was deployed answers its health check badly.", alerts: true);
    public static readonly EventKind ComponentWell = New("component.well", Agent, "A component that was unhealthy is well again.");
    public static readonly EventKind DefinitionUnreadable = New(
        "definition.unreadable", Master, "This version cannot read the stored definition of a service.", alerts: true);
    public static readonly EventKind DefinitionWell = New("definition.well", Master, "A stored definition can be read again.");
    public static readonly EventKind DeployAccepted = New(
        "deploy.accepted", Master, "A node had accepted a deploy before it fell silent; the master has recorded it now.");
    public static readonly EventKind DeployDone = New("deploy.done", Both, "A service was deployed.");
    public static readonly EventKind DeployFailed = New("deploy.failed", Both, "A deploy failed.", alerts: true);
    public static readonly EventKind DeployResumed = New("deploy.resumed", Both, "A deploy that was interrupted goes on.");
    public static readonly EventKind DeployUndoUnwell = New(
        "deploy.undo_unwell", Agent, "A component that was started again after a failed deploy is not well.");
    public static readonly EventKind DeployUndone = New("deploy.undone", Agent, "A failed deploy that was not undone at once was undone.");
    public static readonly EventKind DnsFailed = New(
        "dns.failed", Master, "The names of services cannot be kept as they should be.", alerts: true);
    public static readonly EventKind DnsMended = New("dns.mended", Master, "A name was missing, wrong or left over, and is right now.");
    public static readonly EventKind DnsWell = New("dns.well", Master, "The names of services can be kept again.");
    public static readonly EventKind DriftFailed = New(
        "drift.failed", Agent, "What differs from what is wanted cannot be repaired.", alerts: true);
    public static readonly EventKind DriftMended = New("drift.mended", Agent, "What differed from what is wanted was repaired.");
    public static readonly EventKind EdgeDown = New("edge.down", Agent, "The node no longer serves a public hostname.");
    public static readonly EventKind EdgeFailed = New(
        "edge.failed", Both, "A public hostname cannot be set up, or its backend cannot be resolved.", alerts: true);
    public static readonly EventKind EdgeMended = New(
        "edge.mended", Master, "A public hostname was missing on its edge node, and is there now.");
    public static readonly EventKind EdgeMoved = New("edge.moved", Agent, "A public hostname leads to another backend.");
    public static readonly EventKind EdgeRefused = New(
        "edge.refused", Agent, "The backend of a public hostname lies outside the overlay, so it is not used.");
    public static readonly EventKind EdgeUp = New("edge.up", Agent, "The node serves a public hostname.");
    public static readonly EventKind EdgeWell = New(
        "edge.well", Both, "A public hostname that could not be set up or followed is well again.");
    public static readonly EventKind ImagesRemoved = New(
        "images.removed", Agent, "Images that mcp pulled and nothing needed any more were removed.");
    public static readonly EventKind NodeCordoned = New("node.cordoned", Master, "A node gets no more services.");
    public static readonly EventKind NodeDraining = New("node.draining", Master, "The services of a node are being moved.");
    public static readonly EventKind NodeJoined = New("node.joined", Master, "A node has joined the fleet.");
    public static readonly EventKind NodeReachable = New("node.reachable", Master, "A node that was silent is back.");
    public static readonly EventKind NodeRemoved = New("node.removed", Master, "A node was removed from the fleet.");
    public static readonly EventKind NodeUncordoned = New("node.uncordoned", Master, "A node gets services again.");
    public static readonly EventKind NodeOverloaded = New(
        "node.overloaded", Agent, "Many components of a node are unhealthy at once, so mcp restarts none of them.", alerts: true);
    public static readonly EventKind NodeSteady = New(
        "node.steady", Agent, "Fewer components of a node are unhealthy; mcp restarts them again.");
    public static readonly EventKind NodeUnreachable = New("node.unreachable", Master, "A node is silent.", alerts: true);
    public static readonly EventKind NodeZone = New("node.zone", Master, "The zone in a node's agent.toml is not the master's.");
    public static readonly EventKind NodeZoneWell = New("node.zone.well", Master, "A node's zone is the master's again.");
    public static readonly EventKind ProxyOutdated = New(
        "proxy.outdated", Agent, "The old node proxy could not be replaced. It keeps serving; the agent tries again.", alerts: true);
    public static readonly EventKind ProxyReplaced = New(
        "proxy.replaced", Agent, "Another node proxy has taken the listening sockets over; no connection was refused.");
    public static readonly EventKind ProxyRestarted = New("proxy.restarted", Agent, "The node proxy was started again.");
    public static readonly EventKind RuntimeAnswers = New("runtime.answers", Agent, "A runtime that did not answer does again.");
    public static readonly EventKind RuntimeReplaced = New(
        "runtime.replaced", Agent, "podman's service did not answer and was started again; containers run on.");
    public static readonly EventKind RuntimeSilent = New(
        "runtime.silent", Agent, "A runtime does not answer; what it runs is not known.", alerts: true);
    public static readonly EventKind RetireFailed = New(
        "retire.failed", Agent, "An old instance could not be ended; it is tried again.", alerts: true);
    public static readonly EventKind TokenExpiring = New("token.expiring", Both, "Somebody uses a token that ends soon.");
    public static readonly EventKind UndeployDone = New("undeploy.done", Both, "A service was undeployed, or what was left of it.");
    public static readonly EventKind UndeployPartial = New(
        "undeploy.partial", Master, "Something of an undeployed service could not be removed yet; it is tried again.");

    public static readonly EventKind VolumeNearlyFull = New(
        "volume.nearly_full", Agent, "A file system with volumes is nearly full: 90 % of it is used.", alerts: true);
    public static readonly EventKind VolumeRoomy = New(
        "volume.roomy", Agent, "A file system with volumes that was nearly full has room again: less than 85 % of it is used.");

    private EventKind(string text) => Text = text;

    /// <summary>Every kind of this version, in the order of their texts.</summary>
    public static IReadOnlyList<EventKind> All { get; } = [.. s_byText.Values.OrderBy(k => k.Text, StringComparer.Ordinal)];

    /// <summary>Lower case, such as "deploy.failed": what is stored, and what stands on the wire.</summary>
    public string Text { get; }

    /// <summary>Which programs write it. None: this version does not have it.</summary>
    public EventSource From { get; private init; }

    /// <summary>What it says, in a sentence.</summary>
    public string Meaning { get; private init; } = "";

    /// <summary>Whether [alerts] without an 'on' runs its command for it.</summary>
    public bool Alerts { get; private init; }

    /// <summary>It repeats what a health check said.</summary>
    public bool TellsCheck => this == ComponentUnhealthy || this == ComponentHealed || this == DeployUndoUnwell;

    /// <summary>Null: this version has no such kind.</summary>
    public static EventKind? Find(string text) => s_byText.GetValueOrDefault(text);

    /// <summary>One of ours, or one of another version with its text as it came.</summary>
    public static EventKind Of(string text) => Find(text) ?? new EventKind(text);

    /// <summary>Those that a program writes and may alert of. Not that an alert failed, which would go on for ever.</summary>
    public static IReadOnlyList<EventKind> AlertsOf(EventSource program) =>
        [.. All.Where(k => k.From.HasFlag(program) && k != AlertFailed)];

    public override string ToString() => Text;

    private static EventKind New(string text, EventSource from, string meaning, bool alerts = false) =>
        s_byText[text] = new EventKind(text) { From = from, Meaning = meaning, Alerts = alerts };
}
