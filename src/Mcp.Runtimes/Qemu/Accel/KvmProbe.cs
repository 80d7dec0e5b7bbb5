using System.Diagnostics;
using System.Text.Json;
using Mcp.Machine;
using Mcp.Model.Errors;

namespace Mcp.Runtimes.Qemu.Accel;

/// <summary>Whether KVM works here. That /dev/kvm is there proves nothing, so a guest of nine bytes is booted on it, once per boot of the
/// host.</summary>
internal sealed class KvmProbe(QemuOptions options)
{
    // A boot sector: mov dx, 0x501; mov al, 0x10; out dx, al; hlt; jmp to the hlt. QEMU ends with (0x10 << 1) | 1.
    private static readonly byte[] s_guest = [0xba, 0x01, 0x05, 0xb0, 0x10, 0xee, 0xf4, 0xeb, 0xfd];
    private const string Disk = "probe.img";
    private const int Booted = 33;
    private const int SectorBytes = 512;
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(3);
    private readonly Lock _asking = new();
    private Task<AccelVerdict>? _verdict;

    /// <summary>Why KVM cannot be used; empty: it can.</summary>
    public async Task<string> WhyNotAsync(CancellationToken ct)
    {
        if (!File.Exists("/dev/kvm"))
            return "there is no /dev/kvm";
        Task<AccelVerdict> verdict;
        lock (_asking)
        {
            if (_verdict is null or { IsFaulted: true })
                _verdict = AskOnceAsync();
            verdict = _verdict;
        }

        return (await verdict.WaitAsync(ct)).Why;
    }

    private async Task<AccelVerdict> AskOnceAsync() => Remembered() ?? await AskAsync(CancellationToken.None);

    private string Memory => Path.Combine(options.State, "kvm.json");

    private static string Boot => File.ReadAllText("/proc/sys/kernel/random/boot_id").Trim();

    private AccelVerdict? Remembered()
    {
        if (!File.Exists(Memory))
            return null;
        try
        {
            var kept = JsonSerializer.Deserialize(File.ReadAllText(Memory), VmJson.Default.AccelVerdict);
            return kept?.Boot == Boot && kept.Program == options.Program ? kept : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private async Task<AccelVerdict> AskAsync(CancellationToken ct)
    {
        // A directory of its own: QEMU's user may look into no other.
        var place = Path.Combine(options.State, "probe");
        var sector = new byte[SectorBytes];
        s_guest.CopyTo(sector, 0);
        (sector[^2], sector[^1]) = (0x55, 0xaa);
        Directory.CreateDirectory(place);
        await File.WriteAllBytesAsync(Path.Combine(place, Disk), sector, ct);
        var verdict = new AccelVerdict(Boot, options.Program, await BootAsync(place, ct));
        Directory.Delete(place, recursive: true);
        WholeFile.Replace(Memory, JsonSerializer.Serialize(verdict, VmJson.Default.AccelVerdict));
        return verdict;
    }

    private async Task<string> BootAsync(string place, CancellationToken ct)
    {
        var user = options.User is { } name ? await VmUser.FindAsync(name, ct) : null;
        if (user is not null)
            Array.ForEach([place, Path.Combine(place, Disk)], f => Posix.Owner(f, user.Uid, user.Gid));
        string[] program = [.. QemuCommandLine.DiesWithKeeper(user), options.Program];
        string[] arguments =
        [
            .. program.Skip(1), "-M", "pc", "-accel", "kvm", "-cpu", "host", "-m", "16",
            "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
            "-device", "isa-debug-exit", "-drive", $"if=ide,format=raw,file={Disk}",
        ];
        var start = Programs.Start(program[0], arguments, place);
        var clock = Stopwatch.StartNew();
        try
        {
            var (code, output) = await Programs.RunAsync(start, s_limit, ct);
            if (code == Booted)
                return "";
            var died = $"/dev/kvm is there, but a guest on it died after {clock.ElapsedMilliseconds} ms";
            return $"{died} (status {code}): {output.Split('\n')[^1]}";
        }
        catch (McpException e)
        {
            return e.Code == ErrorCode.ProgramHangs
                ? $"/dev/kvm is there, but a guest hung on it for {s_limit.TotalSeconds:0} s"
                : e.Message;
        }
    }
}
