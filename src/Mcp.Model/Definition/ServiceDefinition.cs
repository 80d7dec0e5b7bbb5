using Mcp.Model.Definition.Keys;
using Mcp.Model.Names;

namespace Mcp.Model.Definition;

/// <summary>What a user deploys: a name and one or more components, placed as a whole on one node.</summary>
public sealed record ServiceDefinition : IKeepsUnread<ServiceDefinition>
{
    // What a runtime may take to say that an instance has ended.
    private static readonly TimeSpan s_answer = TimeSpan.FromMinutes(1);

    public required Label Name { get; init; }

    public Tier Tier { get; init; }

    /// <summary>Pins the service to this node; null lets the tier decide.</summary>
    public Label? Node { get; init; }

    /// <summary>False: the desired state is stopped.</summary>
    public bool Active { get; init; } = true;

    public IReadOnlyList<ComponentDefinition> Components { get; init; } = [];

    public Unread Unread { get; init; } = Unread.None;

    /// <summary>Without what a node has added of its own.</summary>
    public ServiceDefinition AsAsked => this with { Components = [.. Components.Select(c => c.AsAsked)] };

    /// <summary>What this version cannot read of it, with all its parts: names of keys. Empty: it is read whole.</summary>
    public IReadOnlyList<string> UnreadKeys => [.. Unread.Keys.Concat(Components.SelectMany(c => c.UnreadKeys)).Distinct()];

    /// <summary>The longest that stopping all of it may take, one component after the other.</summary>
    public TimeSpan StopsWithin => Components.Aggregate(TimeSpan.Zero, (sum, c) => sum + c.Drain + c.Grace + s_answer);

    ServiceDefinition IKeepsUnread<ServiceDefinition>.With(Unread unread) => this with { Unread = unread };
}

/// <summary>One program of a service.</summary>
public sealed record ComponentDefinition : IKeepsUnread<ComponentDefinition>
{
    public static readonly TimeSpan UsualDrain = TimeSpan.FromSeconds(10);
    public static readonly TimeSpan UsualWatch = TimeSpan.FromSeconds(5);

    private static readonly TimeSpan s_grace = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan s_graceOfWriters = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan s_startOfWriters = TimeSpan.FromMinutes(5);

    public required Label Name { get; init; }

    public required ImageReference Image { get; init; }

    public RuntimeKind Runtime { get; init; }

    /// <summary>In MiB: a limit for containers, the size of a VM; null: no limit for containers, 256 for VMs.</summary>
    public int? MemoryMb { get; init; }

    /// <summary>CPU limit for containers, vCPUs for VMs; null: no limit for containers, 1 for VMs.</summary>
    public int? Vcpus { get; init; }

    /// <summary>Empty: the image's own.</summary>
    public IReadOnlyList<string> Cmd { get; init; } = [];

    public IReadOnlyDictionary<string, string> Env { get; init; } = new Dictionary<string, string>();

    public IReadOnlyList<VolumeMount> Volumes { get; init; } = [];

    public IReadOnlyList<FixedPort> Ports { get; init; } = [];

    /// <summary>A podman network for containers; user or bridge for VMs; null: the runtime's default.</summary>
    public string? Network { get; init; }

    /// <summary>uid[:gid], containers only; null: the image's.</summary>
    public string? User { get; init; }

    public RestartPolicy Restart { get; init; }

    /// <summary>When the registry is asked for its image.</summary>
    public PullPolicy Pull { get; init; }

    /// <summary>How a new generation takes over; null: as its ports, network and volumes allow (<see cref="StopFirst"/>).</summary>
    public UpdateMode? Update { get; init; }

    /// <summary>Time from the request to stop to the kill, as the file says; null: <see cref="Grace"/> decides.</summary>
    public TimeSpan? StopGrace { get; init; }

    /// <summary>What asks it to end; null: what the image says, or SIGTERM.</summary>
    public StopSignal? StopSignal { get; init; }

    /// <summary>How long requests under way have before an old instance is stopped.</summary>
    public TimeSpan Drain { get; init; } = UsualDrain;

    /// <summary>How long a new instance is looked at after it took over, before the old one goes; zero: not at all.</summary>
    public TimeSpan Watch { get; init; } = UsualWatch;

    public HealthCheck? Health { get; init; }

    public IReadOnlyList<Route> Routes { get; init; } = [];

    public Unread Unread { get; init; } = Unread.None;

    /// <summary>See <see cref="ServiceDefinition.UnreadKeys"/>.</summary>
    public IEnumerable<string> UnreadKeys => Unread.Keys.Concat(Health?.Unread.Keys ?? []).Concat(Routes.SelectMany(r => r.Unread.Keys));

    /// <inheritdoc cref="ServiceDefinition.AsAsked"/>
    public ComponentDefinition AsAsked =>
        Volumes.Any(v => v.FromImage) ? this with { Volumes = [.. Volumes.Where(v => !v.FromImage)] } : this;

    /// <summary>What two generations cannot hold at once: fixed host ports, the host network, a writable volume that has one
    /// writer.</summary>
    public bool HoldsExclusively => Ports.Count > 0 || Network == "host" || Volumes.Any(v => v.Exclusive);

    /// <summary>How long after its start bad answers do not count, where its check does not say so: a database may recover.</summary>
    public TimeSpan StartPeriod(HealthCheck check) =>
        check.StartPeriod ?? (Volumes.Any(v => v.Writable) ? s_startOfWriters : check.Interval * check.Retries);

    /// <summary>Time from the request to stop to the kill: what writes to a volume has something to finish.</summary>
    public TimeSpan Grace => StopGrace ?? (Volumes.Any(v => v.Writable) ? s_graceOfWriters : s_grace);

    /// <summary>The old generation ends before the new one starts.</summary>
    public bool StopFirst => Update is { } asked ? asked == UpdateMode.StopFirst : HoldsExclusively;

    ComponentDefinition IKeepsUnread<ComponentDefinition>.With(Unread unread) => this with { Unread = unread };
}

/// <summary>A fixed host port. Address is an IP literal.</summary>
public sealed record FixedPort(string Address, int Host, int Instance);

public enum Tier { Worker, Core }

public enum RuntimeKind { Container, Unikernel, Microvm }

/// <summary>What becomes of a component that was well and is not any more.</summary>
public enum OnUnhealthy { Restart, Report }

/// <summary>Linux's, with their numbers.</summary>
public enum StopSignal { Hup = 1, Int = 2, Quit = 3, Kill = 9, Usr1 = 10, Usr2 = 12, Term = 15, Winch = 28, RtMin3 = 37 }

public enum RestartPolicy { UnlessStopped, No, OnFailure, Always }

/// <summary>When the registry is asked for an image: when its text has changed, at each deploy, or only where there is no copy.</summary>
public enum PullPolicy { Changed, Always, Missing }

public enum RouteMode { L7, L4 }

/// <summary>How a new generation takes over from the old one.</summary>
public enum UpdateMode { Beside, StopFirst }
