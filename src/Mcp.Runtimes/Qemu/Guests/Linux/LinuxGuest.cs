using Mcp.Machine;
using Mcp.Model.Definition;
using Mcp.Model.Errors;
using Mcp.Model.Instances;
using Mcp.Runtimes.Images;
using Mcp.Runtimes.Qemu.Accel;
using Mcp.Runtimes.Qemu.Control;
using Mcp.Runtimes.Qemu.Network;

namespace Mcp.Runtimes.Qemu.Guests.Linux;

/// <summary>runtime = "microvm": any OCI image on a stock Linux kernel.</summary>
internal sealed class LinuxGuest(QemuOptions options, Accelerator accelerator) : IGuest
{
    private static readonly string[] s_virtiofsd = ["/usr/libexec/virtiofsd", "/usr/lib/qemu/virtiofsd", "virtiofsd"];

    public RuntimeKind Kind => RuntimeKind.Microvm;

    // Debian's 6.1 for clouds reserves 44.
    public int KernelMb => 48;

    /// <summary>The program that shares host directories with guests; null: not installed.</summary>
    public static string? Virtiofsd => s_virtiofsd.Select(Programs.Find).FirstOrDefault(p => p is not null);

    public Task<RuntimeAvailability> ProbeAsync(CancellationToken ct) => Task.FromResult<RuntimeAvailability>(
        GuestKernel.Find(options.Kernel) is (null, var why) ? new RuntimeAvailability.Unusable(
            why, "install the package linux-image-cloud-amd64, or name one: [qemu] kernel = \"/boot/vmlinuz-...\" in agent.toml")
        : Programs.Find("busybox") is null ? new RuntimeAvailability.Unusable(
            "there is no program busybox", "install the package busybox-static")
        : Programs.Find("mkfs.ext4") is null ? new RuntimeAvailability.Unusable(
            "there is no program mkfs.ext4", "install the package e2fsprogs")
        : new RuntimeAvailability.Usable(GuestKernel.Find(options.Kernel).Kernel!.Release));

    public async Task<GuestBoot> BuildAsync(
        StoredImage image,
        InstanceSpec spec,
        GuestNetwork network,
        string directory,
        CancellationToken ct)
    {
        var kernel = GuestKernel.Find(options.Kernel).Kernel
            ?? throw new McpException(ErrorCode.RuntimeMissing, "the kernel for microvms is gone", "mcp doctor says what is missing");
        if (image.Command(spec.Component.Cmd).Count == 0)
        {
            throw new McpException(
                ErrorCode.ImageEntrypoint,
                $"{spec.Component.Image} names no program to run",
                "give one: cmd = [\"/bin/server\"]");
        }

        if (spec.Mounts.Count > 0 && Virtiofsd is null)
        {
            throw new McpException(
                ErrorCode.VolumeUnsupported,
                "volumes of a microvm need virtiofsd",
                "install the package qemu-system-common or virtiofsd on the node; "
                    + "\"none:/path\" in volumes does without a VOLUME of the image");
        }

        var root = await RootDisk.MakeAsync(image, ct);
        Posix.Link(root, Path.Combine(directory, "root.ext4"));
        Posix.Link(Initramfs.Make(kernel, Programs.Find("busybox")!, options.Guests), Path.Combine(directory, "initrd"));
        Posix.Link(kernel.Copy(options.Guests), Path.Combine(directory, "kernel"));
        GuestScript.Write(Path.Combine(directory, "guest.tar"), image, spec, network, GuestUser.Of(image));
        // Reliable: on a busy host the kernel would find its own ticks late, blame the counter, and count late ticks from then on.
        var clock = await accelerator.ChooseAsync(ct) == Acceleration.Tcg && await TimeStampCounter.KilohertzAsync() is { } kilohertz
            ? $" tsc_early_khz={kilohertz} tsc=reliable"
            : "";
        return new GuestBoot("microvm,pcie=on",
            [
                "-kernel", "kernel", "-initrd", "initrd", "-append", $"console=ttyS0 quiet loglevel=1 panic=-1 reboot=t{clock}",
                .. Disk("root", "root.ext4", readOnly: true),
                .. Disk("guest", "guest.tar", readOnly: true),
                .. Disk("exit", VmKeeper.ExitDisk, readOnly: false),
                .. GuestChannel.Arguments,
            ],
            spec.Mounts, ExitCodeFrom.Disk, GuestChannel.Version, ["guest.tar", VmKeeper.ExitDisk]);
    }

    private static string[] Disk(string id, string file, bool readOnly) =>
        ["-drive", $"if=none,id={id},file={file},format=raw{(readOnly ? ",readonly=on" : "")}", "-device", $"virtio-blk-pci,drive={id}"];
}
