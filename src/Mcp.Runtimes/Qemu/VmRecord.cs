using System.Text.Json.Serialization;
using Mcp.Model.Definition;
using Mcp.Runtimes.Images;

namespace Mcp.Runtimes.Qemu;

/// <summary>Where a guest's exit code comes from: written to a small disk by its init, or QEMU's own exit status by way of
/// isa-debug-exit.</summary>
public enum ExitCodeFrom { Disk, Status }

/// <summary>vm.json: all that is needed to run a VM, now or again. A directory without it is no VM.</summary>
internal sealed record VmRecord
{
    public required string Name { get; init; }

    public required string Image { get; init; }

    /// <summary>Of the image, so that its files stay in the store.</summary>
    public required string Digest { get; init; }

    public required string Definition { get; init; }

    /// <summary>Host directories that the guest sees; null: written by a version before named volumes.</summary>
    public IReadOnlyList<VolumeMount>? Mounts { get; init; }

    public required string SpecHash { get; init; }

    public required IReadOnlyList<FixedPort> Ports { get; init; }

    /// <summary>QEMU with its arguments; runs in the VM's machine directory.</summary>
    public required IReadOnlyList<string> Program { get; init; }

    /// <summary>Programs that QEMU talks to, started before it, each a list.</summary>
    public required IReadOnlyList<IReadOnlyList<string>> Beside { get; init; }

    /// <summary>Host directories by the names under which those programs see them: they must not change them, whatever a guest does.
    /// </summary>
    public required IReadOnlyDictionary<string, string> ReadOnly { get; init; }

    public required ExitCodeFrom ExitFrom { get; init; }

    /// <summary>Of the channel into the guest; 0: it has none, as VMs of older versions.</summary>
    public int Channel { get; init; }

    /// <summary>The image's HEALTHCHECK, where the channel can ask it; null: there is none.</summary>
    public ImageCheck? Check { get; init; }

    /// <summary>Files of the machine directory that belong to this VM alone.</summary>
    public required IReadOnlyList<string> Own { get; init; }

    public required VmLimits Limits { get; init; }

    /// <summary>Directory of its log, which stays when it is removed; null: its own, as versions before wrote it.</summary>
    public string? Log { get; init; }

    public required long ConsoleBytes { get; init; }

    public required int ConsoleFiles { get; init; }

    /// <summary>Whom QEMU runs as; null: as the keeper does.</summary>
    public VmUser? User { get; init; }

    public string? Bridge { get; init; }

    public string? Address { get; init; }

    /// <summary>Published ports that the keeper passes on to Address, where QEMU does not do it itself.</summary>
    public IReadOnlyList<FixedPort> Forwards { get; init; } = [];
}

/// <summary>run.json: the keeper has started QEMU.</summary>
/// <param name="Run">Which start this is of.</param>
internal sealed record VmRun(string Run, int QemuPid, DateTimeOffset Started);

/// <summary>exit.json: how that run ended.</summary>
/// <param name="Code">Null: the guest gave none.</param>
internal sealed record VmExit(string Run, int? Code, string Reason, DateTimeOffset Ended);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, UseStringEnumConverter = true)]
[JsonSerializable(typeof(VmRecord))]
[JsonSerializable(typeof(VmRun))]
[JsonSerializable(typeof(VmExit))]
[JsonSerializable(typeof(Accel.AccelVerdict))]
internal sealed partial class VmJson : JsonSerializerContext;
