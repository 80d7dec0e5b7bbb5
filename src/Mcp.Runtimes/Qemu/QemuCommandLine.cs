using System.Globalization;
using Mcp.Model.Definition;
using Mcp.Model.Instances;
using Mcp.Runtimes.Qemu.Guests;
using Mcp.Runtimes.Qemu.Guests.Linux;
using Mcp.Runtimes.Qemu.Network;
using Mcp.Runtimes.Qemu.Qmp;

namespace Mcp.Runtimes.Qemu;

/// <summary>A VM's programs as argument lists; file names are relative to its machine directory, in which they run. Nothing secret is in
/// them. Pure.</summary>
internal static class QemuCommandLine
{
    // Of code that TCG has translated: what a boot fills; QEMU's own default is a GiB, beyond any limit of ours.
    private const int TranslatedMb = 64;
    private const string Denied = "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny";

    public static IReadOnlyList<string> Of(
        QemuOptions options,
        InstanceSpec spec,
        GuestBoot boot,
        GuestNetwork network,
        Acceleration acceleration,
        VmUser? user,
        int memoryMb)
    {
        var kvm = acceleration == Acceleration.Kvm;
        var memory = string.Create(CultureInfo.InvariantCulture, $"{memoryMb}M");
        // virtio-fs needs memory that another process may see.
        var shared = boot.Volumes.Count > 0;
        return
        [
            .. DiesWithKeeper(user), options.Program,
            "-name", $"guest={spec.Name}", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-sandbox", Denied,
            "-M", shared ? $"{boot.Machine},memory-backend=memory" : boot.Machine,
            "-accel", kvm ? "kvm" : $"tcg,tb-size={TranslatedMb}", "-cpu", kvm ? "host" : "max",
            "-m", memory, "-smp", Vm.Cpus(spec).ToString(CultureInfo.InvariantCulture),
            .. shared ? (string[])["-object", $"memory-backend-memfd,id=memory,size={memory},share=on"] : [],
            "-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console",
            .. Monitor(QmpClient.CommandSocket, "commands"), .. Monitor(QmpClient.EventSocket, "events"),
            .. boot.Arguments,
            .. boot.Volumes.SelectMany((_, i) => Share(i)),
            "-device", $"virtio-net-pci,netdev=net0,romfile=,mac={network.Mac}", .. network.Arguments(spec.Ports),
        ];
    }

    /// <summary>Of the volume's virtiofsd.</summary>
    public static string VolumeSocket(int volume) => string.Create(CultureInfo.InvariantCulture, $"volume{volume}.sock");

    /// <summary>One for each volume; ends when QEMU lets go of its socket. See <see cref="VolumeServer"/>.</summary>
    /// <param name="directory">Of the VM.</param>
    public static IReadOnlyList<IReadOnlyList<string>> Beside(GuestBoot boot, string directory) =>
        [.. boot.Volumes.Select((volume, i) => Server(volume, i, directory))];

    /// <summary>Host directories that are shown once more, read-only, by their names in the VM's directory.</summary>
    public static IReadOnlyDictionary<string, string> ReadOnly(GuestBoot boot) =>
        boot.Volumes.Index().Where(v => v.Item.ReadOnly).ToDictionary(v => ReadOnlyName(v.Index), v => v.Item.Source);

    /// <summary>Before a program and its arguments: it dies with whoever starts it, and can become nobody else than the user.</summary>
    public static string[] DiesWithKeeper(VmUser? user) =>
        ["setpriv", "--pdeathsig", "KILL", .. user is null ? [] : As(user), "--"];

    private static string[] As(VmUser user) =>
        ["--reuid", Number(user.Uid), "--regid", Number(user.Gid), "--init-groups", "--no-new-privs"];

    private static string[] Share(int number) =>
    [
        "-chardev", $"socket,id=volume{number},path={VolumeSocket(number)}",
        "-device", $"vhost-user-fs-pci,chardev=volume{number},tag=volume{number}",
    ];

    private static IReadOnlyList<string> Server(VolumeMount volume, int number, string directory)
    {
        var source = volume.ReadOnly ? Path.Combine(directory, ReadOnlyName(number)) : volume.Source;
        return [.. DiesWithKeeper(null), LinuxGuest.Virtiofsd ?? "virtiofsd", "-o", $"source={Escape(source)}", "-o", "cache=auto"];
    }

    // Of libfuse's option lists.
    private static string Escape(string path) =>
        path.Replace("\\", "\\\\", StringComparison.Ordinal).Replace(",", "\\,", StringComparison.Ordinal);

    private static string ReadOnlyName(int volume) => string.Create(CultureInfo.InvariantCulture, $"volume{volume}.ro");

    private static string Number(int value) => value.ToString(CultureInfo.InvariantCulture);

    private static string[] Monitor(string socket, string id) =>
        ["-chardev", $"socket,id={id},path={socket},server=on,wait=off", "-mon", $"chardev={id},mode=control"];
}
