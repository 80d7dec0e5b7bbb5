using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using Mcp.Machine;
using Mcp.Model.Definition;
using Mcp.Model.Errors;
using Mcp.Model.Instances;
using Mcp.Runtimes.Images;
using Mcp.Runtimes.Qemu.Network;

namespace Mcp.Runtimes.Qemu.Guests.Nanos;

/// <summary>runtime = "unikernel": one ELF program on the Nanos kernel, made into a disk by ops.</summary>
internal sealed class NanosGuest : IGuest
{
    /// <summary>Before the name of a directory beside an image's files that has a disk made of it.</summary>
    public const string Made = "nanos-";
    public const string Disk = "disk.img";
    private const string Overlay = "disk.qcow2";
    private static readonly TimeSpan s_overlay = TimeSpan.FromSeconds(30);
    private readonly ConcurrentDictionary<string, SemaphoreSlim> _turns = new();
    private readonly QemuOptions _options;
    private readonly OpsBuild _build;

    public NanosGuest(QemuOptions options)
    {
        (_options, _build) = (options, new OpsBuild(options));
        _build.Sweep();
    }

    public RuntimeKind Kind => RuntimeKind.Unikernel;

    // A few MiB, within what was asked for: ops bakes that number into the disk.
    public int KernelMb => 0;

    public Task<RuntimeAvailability> ProbeAsync(CancellationToken ct) => Task.FromResult<RuntimeAvailability>(
        Programs.Find(_options.Ops) is not { } ops ? new RuntimeAvailability.Unusable(
            $"there is no program {_options.Ops}",
            "install NanoVMs ops (https://ops.city), or name it: [qemu] ops = \"/path/ops\" in agent.toml")
        : Programs.Find("qemu-img") is null ? new RuntimeAvailability.Unusable(
            "there is no program qemu-img", "install the package qemu-utils")
        : new RuntimeAvailability.Usable($"ops {ops}"));

    public async Task<GuestBoot> BuildAsync(
        StoredImage image,
        InstanceSpec spec,
        GuestNetwork network,
        string directory,
        CancellationToken ct)
    {
        if (image.Command(spec.Component.Cmd) is not [var first, ..])
        {
            throw new McpException(
                ErrorCode.ImageEntrypoint,
                $"{spec.Component.Image} names no program to run",
                "give one: cmd = [\"/bin/server\"]");
        }

        var program = ElfFinder.Find(image, first);
        var built = await MadeAsync(image, spec, network, program, ct);
        Posix.Link(Path.Combine(built, Disk), Path.Combine(directory, Disk));
        // What the guest writes goes into its own overlay, a few KiB at first.
        File.Copy(Path.Combine(built, Overlay), Path.Combine(directory, Overlay));
        return new GuestBoot(
            "pc",
            ["-drive", $"if=none,id=disk,file={Overlay},format=qcow2", "-device", "virtio-blk-pci,drive=disk", "-device", "isa-debug-exit"],
            [],
            ExitCodeFrom.Status,
            Channel: 0,
            [Overlay]);
    }

    // Cached by what goes in: the image, the configuration, the volumes' files.
    private async Task<string> MadeAsync(StoredImage image, InstanceSpec spec, GuestNetwork network, string program, CancellationToken ct)
    {
        var inputs = StagingTree.Fingerprint(spec.Mounts)
            .Prepend(OpsConfig.Of(image, spec, network, program, StagedTree.Unknown).Text())
            .Prepend(image.Digest);
        var key = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('\0', inputs))))[..16];
        var made = Path.Combine(image.Directory, $"{Made}{key}");
        var turn = _turns.GetOrAdd(made, _ => new SemaphoreSlim(1, 1));
        await turn.WaitAsync(ct);
        try
        {
            if (!Directory.Exists(made))
                await MakeAsync(image, spec, network, program, made, ct);
            return made;
        }
        finally
        {
            turn.Release();
        }
    }

    private async Task MakeAsync(
        StoredImage image,
        InstanceSpec spec,
        GuestNetwork network,
        string program,
        string made,
        CancellationToken ct)
    {
        var half = $"{made}.half";
        if (Directory.Exists(half))
            Directory.Delete(half, recursive: true);
        var staging = Path.Combine(half, "staging");
        try
        {
            var tree = StagingTree.Make(staging, image, spec.Mounts);
            ElfNeeds.Check(staging, program);
            new DiskRoom(image.Directory).Need(tree.Bytes);
            var stub = StubProgram.Write(staging);
            var config = Path.Combine(half, "config.json");
            WholeFile.Replace(config, OpsConfig.Of(image, spec, network, program, tree).Text());
            var temporary = Path.Combine(half, $"{Path.GetFileName(made)}.tmp");
            var disk = await _build.RunAsync(staging, stub, config, temporary, ct);
            File.Move(disk, Path.Combine(half, Disk));
            File.SetUnixFileMode(Path.Combine(half, Disk), UnixFileMode.UserRead | UnixFileMode.GroupRead | UnixFileMode.OtherRead);
            string[] arguments = ["create", "-q", "-f", "qcow2", "-b", Disk, "-F", "raw", Overlay];
            var start = Programs.Start(Programs.Find("qemu-img") ?? "qemu-img", arguments, half);
            var (code, output) = await Programs.RunAsync(start, s_overlay, ct);
            if (code != 0)
                throw new McpException(ErrorCode.UnikernelBuild, $"cannot make an overlay of the disk: {output}", "");
            Directory.Delete(staging, recursive: true);
            Directory.Delete(temporary, recursive: true);
            File.Delete(config);
            Directory.Move(half, made);
        }
        catch
        {
            // It may hold secrets, and it may be large.
            if (Directory.Exists(half))
                Directory.Delete(half, recursive: true);
            throw;
        }
    }
}
