using Mcp.Runtimes.Images;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Mcp.Machine;
using Mcp.Model.Definition;
using Mcp.Model.Errors;
using Mcp.Model.Instances;
using Mcp.Model.Names;
using Mcp.Model.Revisions;

namespace Mcp.Runtimes.Qemu;

/// <summary>vms/KIND/INSTANCE/: what is known of one VM, and whether it runs. It runs while its keeper holds keeper.lock, which the kernel
/// takes from a dead process; so no process number is ever believed by itself.</summary>
internal sealed class VmDirectory(string path)
{
    private const string Source = "source=";
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    public string Path { get; } = path;

    /// <summary>Where QEMU runs: its disks and sockets. All that its user may touch; the records above it are the agent's.</summary>
    public string Machine => System.IO.Path.Combine(Path, "machine");

    public ControlGroup Group =>
        new(
            ControlGroup.Root,
            $"{System.IO.Path.GetFileName(Path)}-{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(Path)))[..12]}");

    public string this[string file] => System.IO.Path.Combine(Path, file);

    public VmRecord? Record => Read("vm.json", VmJson.Default.VmRecord);

    public VmRun? Run => Read("run.json", VmJson.Default.VmRun);

    public VmExit? Exit => Read("exit.json", VmJson.Default.VmExit);

    public static IEnumerable<VmDirectory> All(string vms) => Directory.Exists(vms)
        ? Directory.EnumerateDirectories(vms)
            .Where(d => InstanceName.TryParse(System.IO.Path.GetFileName(d), out _))
            .Select(d => new VmDirectory(d))
        : [];

    /// <summary>Of every kind.</summary>
    /// <param name="vms">vms/</param>
    public static IEnumerable<VmDirectory> Every(string vms) =>
        Directory.Exists(vms) ? Directory.EnumerateDirectories(vms).SelectMany(All) : [];

    public void Create()
    {
        Directory.CreateDirectory(Path, OwnerOnly);
        Directory.CreateDirectory(Machine, OwnerOnly);
    }


    public void Write<T>(string file, T value, JsonTypeInfo<T> type) =>
        WholeFile.Replace(this[file], JsonSerializer.Serialize(value, type));

    /// <summary>The keeper's process; null: none is alive. A 0 has taken the lock and not yet written its number.</summary>
    public int? Keeper()
    {
        using var file = Posix.Unlocked(this["keeper.lock"]);
        if (file is null || Posix.TryLock(file, exclusive: false))
            return null;
        Span<byte> digits = stackalloc byte[16];
        return int.TryParse(digits[..RandomAccess.Read(file, digits, 0)], out var pid) ? pid : 0;
    }

    public InstanceInfo? Info()
    {
        if (Record is not { } record || !InstanceName.TryParse(record.Name, out var name))
            return null;
        var (running, run, exit) = (Keeper() is not null, Run, Exit);
        var alive = run is not null && IsStopped(run.QemuPid) ? InstanceState.Paused : InstanceState.Running;
        var (state, code, reason) = running ? (alive, null, "")
            : exit is not null ? (exit.Code is null ? InstanceState.Failed : InstanceState.Exited, exit.Code, exit.Reason)
            : run is null ? (InstanceState.Failed, (int?)null, "was never started")
            : (InstanceState.Failed, null, "disappeared without an exit status: the machine was restarted, or VM and keeper were killed");
        return new InstanceInfo
        {
            Name = name,
            Image = record.Image,
            State = state,
            ExitCode = code,
            SpecHash = record.SpecHash,
            Started = run?.Started,
            Definition = record.Definition,
            Ports = record.Ports,
            MadeOf = record.Digest,
            OwnCheck = ImageCheck.Of(record.Check),
            Reason = reason,
        };
    }

    // By a signal: it does nothing until it is continued.
    private static bool IsStopped(int pid)
    {
        try
        {
            var stat = File.ReadAllText($"/proc/{pid}/stat");
            var state = stat.AsSpan(stat.LastIndexOf(')') + 1).TrimStart();
            return state.Length > 0 && state[0] is 'T' or 't';
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    /// <summary>A keeper that was killed takes QEMU and its helpers with it, but not at the same instant.</summary>
    public bool HasEnded() => Keeper() is null && !Group.HasProcesses();

    /// <summary>What it may write to. One that runs and whose record cannot be read may write anywhere.</summary>
    public VolumeHolder Holder()
    {
        var name = System.IO.Path.GetFileName(Path);
        return new VolumeHolder(name, InstanceName.Parse(name), HasEnded(), Declared() ?? [new VolumeMount("/", "/", false)]);
    }

    private IReadOnlyList<VolumeMount>? Declared()
    {
        if (Record is not { } record)
            return null;
        if (record.Mounts is { } mounts)
            return [.. mounts.Where(m => m.Writable)];
        try
        {
            var component = RevisionCodec.Carried(record.Definition);
            if (!component.UnreadKeys.Any())
                return [.. component.Volumes.Where(v => v.Writable)];
        }
        catch (McpException)
        {
            // Another version's words; what it has started says the same.
        }

        var sources = record.Beside.SelectMany(program => program).Where(a => a.StartsWith(Source, StringComparison.Ordinal));
        return [.. sources.Select(a => new VolumeMount(a[Source.Length..].Split(',')[0], "", false))];
    }

    /// <summary>Out of sight at once, then deleted; a crash between leaves only what Sweep takes.</summary>
    public void Remove()
    {
        if (!Directory.Exists(Path))
            return;
        Group.Remove();
        var gone = System.IO.Path.Combine(System.IO.Path.GetDirectoryName(Path)!, $".gone-{Guid.NewGuid():N}");
        Directory.Move(Path, gone);
        Directory.Delete(gone, recursive: true);
    }

    public static void Sweep(string vms)
    {
        if (Directory.Exists(vms))
        {
            foreach (var gone in Directory.EnumerateDirectories(vms, ".gone-*"))
                Directory.Delete(gone, recursive: true);
        }
    }

    private T? Read<T>(string file, JsonTypeInfo<T> type)
        where T : class
    {
        try
        {
            return JsonSerializer.Deserialize(File.ReadAllText(this[file]), type);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException or JsonException)
        {
            // Written whole or not at all, so a broken one was broken by somebody else: as good as none.
            return null;
        }
    }
}
