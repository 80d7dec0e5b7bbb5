using Mcp.Model.Names;

namespace Mcp.Model.Definition;

/// <summary>What a user deploys: a name and one or more components, placed as a whole on one node.</summary>
/// <param name="Node">Pins the service to this node; null lets the tier decide.</param>
/// <param name="Active">False: the desired state is stopped.</param>
public sealed record ServiceDefinition(Label Name, Tier Tier, Label? Node, bool Active, IReadOnlyList<ComponentDefinition> Components);

/// <summary>One program of a service.</summary>
/// <param name="MemoryMb">Limit for containers, RAM for VMs (a microvm has its kernel's beside it), in MiB; null: no limit for containers, 256 for VMs.</param>
/// <param name="Vcpus">CPU limit for containers, vCPUs for VMs; null: no limit for containers, 1 for VMs.</param>
/// <param name="Network">A podman network for containers; user or bridge for VMs; null: the runtime's default.</param>
/// <param name="User">uid[:gid], containers only; null: the image's.</param>
public sealed record ComponentDefinition(
    Label Name,
    ImageReference Image,
    RuntimeKind Runtime,
    int? MemoryMb,
    int? Vcpus,
    IReadOnlyList<string> Cmd,
    IReadOnlyDictionary<string, string> Env,
    IReadOnlyList<VolumeMount> Volumes,
    IReadOnlyList<FixedPort> Ports,
    string? Network,
    string? User,
    RestartPolicy Restart,
    HealthCheck? Health,
    IReadOnlyList<Route> Routes)
{
    /// <summary>How a new generation takes over; null: as its ports, network and volumes allow (<see cref="StopFirst"/>).</summary>
    public UpdateMode? Update { get; init; }

    /// <summary>What two generations cannot hold at once: fixed host ports, the host network, a writable volume that has one writer.</summary>
    public bool HoldsExclusively => Ports.Count > 0 || Network == "host" || Volumes.Any(v => v.Exclusive);

    /// <summary>Time from the request to stop to the kill: what writes to a volume has something to finish.</summary>
    public TimeSpan StopGrace => TimeSpan.FromSeconds(Volumes.Any(v => !v.ReadOnly) ? 60 : 10);

    /// <summary>The old generation ends before the new one starts.</summary>
    public bool StopFirst => Update is { } asked ? asked == UpdateMode.StopFirst : HoldsExclusively;
}

/// <summary>A host path seen inside the instance.</summary>
/// <param name="Shared">Several instances may write to it at once. Never together with <paramref name="ReadOnly"/>.</param>
public sealed record VolumeMount(string Source, string Target, bool ReadOnly, bool Shared = false)
{
    /// <summary>One instance at a time may have it.</summary>
    public bool Exclusive => !ReadOnly && !Shared;
}

/// <summary>A fixed host port. Address is an IP literal.</summary>
public sealed record FixedPort(string Address, int Host, int Instance);

/// <summary>A named port of a component that others may reach. Port is inside the instance.</summary>
public sealed record Route(Label Name, int Port, RouteMode Mode, Hostname? Hostname, bool Public);

/// <summary>How to tell that an instance is well. Exactly one of Http, Tcp, Grpc, Exec is set.</summary>
/// <param name="Http">Path that must answer 200 to 399.</param>
/// <param name="Port">Port inside the instance; null: the first route's.</param>
/// <param name="Exec">Argument list run inside the instance; exit code 0 is well.</param>
/// <param name="Retries">Probes before giving up, 1 to 1000.</param>
public sealed record HealthCheck(string? Http, bool Tcp, bool Grpc, IReadOnlyList<string> Exec, int? Port, TimeSpan Interval, TimeSpan Timeout, int Retries)
{
    public static readonly TimeSpan DefaultInterval = TimeSpan.FromSeconds(2);
    public static readonly TimeSpan DefaultTimeout = TimeSpan.FromSeconds(1);
    public const int DefaultRetries = 15;
}

public enum Tier { Worker, Core }

public enum RuntimeKind { Container, Unikernel, Microvm }

public enum RestartPolicy { UnlessStopped, No, OnFailure, Always }

public enum RouteMode { L7, L4 }

/// <summary>How a new generation takes over from the old one.</summary>
public enum UpdateMode { Beside, StopFirst }
