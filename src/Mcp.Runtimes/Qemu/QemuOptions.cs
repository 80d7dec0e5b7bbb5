using Mcp.Runtimes.Images;

namespace Mcp.Runtimes.Qemu;

public enum Acceleration { Auto, Kvm, Tcg }

/// <summary>How VMs are run on this node.</summary>
/// <param name="State">Directory of the VMs, their images and what is remembered of this machine; 0700.</param>
/// <param name="Launcher">Program and arguments before a VM's directory and run that become its keeper: see VmKeeper.</param>
public sealed record QemuOptions(string State, IReadOnlyList<string> Launcher)
{
    public string Program { get; init; } = "qemu-system-x86_64";

    public Acceleration Acceleration { get; init; } = Acceleration.Auto;

    /// <summary>Kernel for microvms; null: the newest in /boot that has its modules.</summary>
    public string? Kernel { get; init; }

    /// <summary>NanoVMs' ops, for unikernels.</summary>
    public string Ops { get; init; } = "ops";

    /// <summary>Time for one `ops build`.</summary>
    public TimeSpan BuildLimit { get; init; } = TimeSpan.FromMinutes(5);

    public TimeSpan PullLimit { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>No image may take more.</summary>
    public ImageLimits ImageLimits { get; init; } = ImageLimits.Default;

    /// <summary>User that QEMU runs as; null: the agent's.</summary>
    public string? User { get; init; }

    /// <summary>A console file is closed at this size, and the newest ConsoleFiles of them are kept.</summary>
    public long ConsoleBytes { get; init; } = 10 * 1024 * 1024;

    public int ConsoleFiles { get; init; } = 3;

    /// <summary>Credentials for registries; null: where podman keeps them.</summary>
    public string? AuthFile { get; init; }

    /// <summary>The bridge of VMs that are on one.</summary>
    public string Bridge { get; init; } = "mcp-br0";

    /// <summary>The first three numbers of its /24 network.</summary>
    public string BridgeNetwork { get; init; } = "10.87.0";

    public string Vms => Path.Combine(State, "vms");

    /// <summary>Of the logs of each kind, which stay when VMs go.</summary>
    public string Logs => Path.Combine(State, "logs");

    /// <summary>What guests of one kind share: kernels and their first file systems.</summary>
    public string Guests => Path.Combine(State, "guests");

    public string Images => Path.Combine(State, "images");

    /// <summary>Where ops keeps its kernel, and for a moment what it builds.</summary>
    public string OpsHome => Path.Combine(State, "ops");
}
