using System.Globalization;

namespace Mcp.Runtimes.Qemu;

/// <summary>What a VM's processes may use together, however its guest behaves.</summary>
/// <param name="CpuPercent">Of one processor: 150 is one and a half.</param>
internal sealed record VmLimits(long MemoryBytes, int CpuPercent)
{
    private const long MiB = 1024 * 1024;
    // QEMU itself, its translated code under TCG, the keeper, virtiofsd: at most 150 MiB seen (bench/README.md).
    private const int OwnMemoryMb = 192;
    // Disks, network and console beside the guest's processors.
    private const int OwnCpuPercent = 50;

    public static VmLimits Of(int memoryMb, int cpus) => new((memoryMb + OwnMemoryMb) * MiB, (cpus * 100) + OwnCpuPercent);
}

/// <summary>A VM's control group, of version 2 or 1, whichever this host has. https://docs.kernel.org/admin-guide/cgroup-v2.html</summary>
/// <param name="root">/sys/fs/cgroup</param>
/// <param name="name">Of the VM; no other on this host has it.</param>
internal sealed class ControlGroup(string root, string name)
{
    public const string Root = "/sys/fs/cgroup";
    private const string Parent = "mcp";
    private const int PeriodMicroseconds = 100_000;
    private static readonly string[] s_controllers = ["memory", "cpu"];
    private static readonly TimeSpan s_emptied = TimeSpan.FromSeconds(2);

    private bool Unified => File.Exists(Path.Combine(root, "cgroup.controllers"));

    private IEnumerable<string> Directories =>
        Unified ? [Path.Combine(root, Parent, name)] : s_controllers.Select(c => Path.Combine(root, c, Parent, name));

    /// <summary>Why VMs run without limits here; empty: they have them.</summary>
    public static string WhyNot(string root)
    {
        try
        {
            new ControlGroup(root, "probe").Prepare();
            return "";
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return e.Message;
        }
    }

    /// <summary>Puts this process under the limits, and with it all that it starts from now on.</summary>
    /// <exception cref="IOException">This host does not let it.</exception>
    /// <exception cref="UnauthorizedAccessException">This user may not.</exception>
    public void Join(VmLimits limits)
    {
        Prepare();
        // Counts of the run before end with its group.
        Remove();
        foreach (var directory in Directories)
            Directory.CreateDirectory(directory);
        var quota = (PeriodMicroseconds / 100 * limits.CpuPercent).ToString(CultureInfo.InvariantCulture);
        var period = PeriodMicroseconds.ToString(CultureInfo.InvariantCulture);
        var memory = limits.MemoryBytes.ToString(CultureInfo.InvariantCulture);
        (string Controller, string File, string Value)[] settings = Unified
            ?
            [
                ("", "memory.max", memory),
                ("", "cpu.max", $"{quota} {period}"),
                ("", "cgroup.procs", "0"),
            ]
            :
            [
                ("memory", "memory.limit_in_bytes", memory),
                ("cpu", "cpu.cfs_period_us", period),
                ("cpu", "cpu.cfs_quota_us", quota),
                ("memory", "cgroup.procs", "0"),
                ("cpu", "cgroup.procs", "0"),
            ];
        foreach (var (controller, file, value) in settings)
            Set(Path.Combine(root, controller, Parent, name, file), value);
    }

    /// <summary>Whether the kernel ended a process of the group for want of memory.</summary>
    public bool RanOutOfMemory()
    {
        var file = Unified
            ? Path.Combine(root, Parent, name, "memory.events")
            : Path.Combine(root, "memory", Parent, name, "memory.oom_control");
        return File.Exists(file) && File.ReadLines(file).Any(l => l.StartsWith("oom_kill ", StringComparison.Ordinal) && l != "oom_kill 0");
    }

    /// <summary>False also where VMs run without a group.</summary>
    public bool HasProcesses() => Directories.Any(HasProcesses);

    private static bool HasProcesses(string directory)
    {
        try
        {
            return File.ReadLines(Path.Combine(directory, "cgroup.procs")).Any();
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return false;
        }
        catch (IOException)
        {
            // It goes while it is read, or cannot be read: only the first is certain to have ended.
            return Directory.Exists(directory);
        }
    }

    /// <summary>Nothing happens where it is not there. One that still has processes stays; its next run takes it.</summary>
    public void Remove()
    {
        foreach (var directory in Directories.Where(Directory.Exists))
        {
            // The kernel buries the dead a moment later than it tells of them.
            SpinWait.SpinUntil(() => Removed(directory), s_emptied);
        }
    }

    private static bool Removed(string directory)
    {
        try
        {
            Directory.Delete(directory);
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return !Directory.Exists(directory);
        }
    }

    private void Prepare()
    {
        if (!Unified)
        {
            foreach (var controller in s_controllers)
            {
                if (!File.Exists(Path.Combine(root, controller, "cgroup.procs")))
                    throw new IOException($"this host has no control group of {controller} in {root}");
                Directory.CreateDirectory(Path.Combine(root, controller, Parent));
            }

            return;
        }

        Directory.CreateDirectory(Path.Combine(root, Parent));
        foreach (var above in (string[])[root, Path.Combine(root, Parent)])
        {
            var enabled = File.ReadAllText(Path.Combine(above, "cgroup.subtree_control")).Split((char[])[' ', '\n']);
            if (s_controllers.Except(enabled).Any())
                Set(Path.Combine(above, "cgroup.subtree_control"), string.Join(' ', s_controllers.Select(c => $"+{c}")));
        }
    }

    // These files are neither made nor cut off: the kernel takes what is written at once.
    private static void Set(string file, string value)
    {
        using var stream = new FileStream(file, FileMode.Open, FileAccess.Write, FileShare.ReadWrite, bufferSize: 0);
        stream.Write(System.Text.Encoding.ASCII.GetBytes(value));
    }
}
