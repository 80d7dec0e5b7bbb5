using Mcp.Model.Definition;
using Mcp.Model.Instances;
using Mcp.Runtimes.Images;
using Mcp.Runtimes.Qemu.Network;

namespace Mcp.Runtimes.Qemu.Guests;

/// <summary>A kind of guest: how an OCI image becomes something that QEMU boots.</summary>
internal interface IGuest
{
    RuntimeKind Kind { get; }

    /// <summary>Beyond QEMU itself: is all there that this guest needs.</summary>
    Task<RuntimeAvailability> ProbeAsync(CancellationToken ct);

    /// <summary>Memory that the guest's kernel takes for itself, in MiB: a VM has so much more than its component asks for.</summary>
    int KernelMb { get; }

    /// <summary>Puts into the VM's machine directory what it boots from. What can be shared is kept with the image, made once and
    /// linked.</summary>
    Task<GuestBoot> BuildAsync(StoredImage image, InstanceSpec spec, GuestNetwork network, string directory, CancellationToken ct);
}

/// <param name="Machine">QEMU's machine type with its properties.</param>
/// <param name="Arguments">Kernel and disks; names are relative to the machine directory.</param>
/// <param name="Volumes">Host directories that the guest sees live, in the order of its tags volume0, volume1, ...</param>
/// <param name="Channel">The version of the channel into the guest, see <see cref="Control.GuestChannel"/>; 0: it has none.</param>
/// <param name="Own">Files of the machine directory that are this VM's alone: QEMU's user gets them.</param>
internal sealed record GuestBoot(
    string Machine,
    IReadOnlyList<string> Arguments,
    IReadOnlyList<VolumeMount> Volumes,
    ExitCodeFrom ExitFrom,
    int Channel,
    IReadOnlyList<string> Own);
