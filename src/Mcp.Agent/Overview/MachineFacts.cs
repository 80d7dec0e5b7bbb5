using System.Globalization;
using System.Runtime.InteropServices;

namespace Mcp.Agent.Overview;

/// <summary>What the machine has, and how much of it is free.</summary>
public sealed record MachineFacts
{
    /// <summary>As image manifests say it: amd64, arm64.</summary>
    public required string Architecture { get; init; }

    public required int Cpus { get; init; }

    /// <summary>MemTotal.</summary>
    public required long MemoryBytes { get; init; }

    /// <summary>MemAvailable.</summary>
    public required long MemoryFreeBytes { get; init; }

    /// <summary>Of the file system of the state directory.</summary>
    public required long DiskBytes { get; init; }

    public required long DiskFreeBytes { get; init; }

    /// <summary>Over a minute.</summary>
    public required double Load { get; init; }

    public static MachineFacts Read(string state)
    {
        var disk = new DriveInfo(state);
        return new MachineFacts
        {
            Architecture = ReadArchitecture(),
            Cpus = Environment.ProcessorCount,
            MemoryBytes = ReadMemory("MemTotal:"),
            MemoryFreeBytes = ReadMemory("MemAvailable:"),
            DiskBytes = disk.TotalSize,
            DiskFreeBytes = disk.AvailableFreeSpace,
            Load = double.Parse(File.ReadAllText("/proc/loadavg").Split(' ')[0], CultureInfo.InvariantCulture),
        };
    }

    private static string ReadArchitecture() => RuntimeInformation.OSArchitecture switch
    {
        System.Runtime.InteropServices.Architecture.X64 => "amd64",
        var other => other.ToString().ToLowerInvariant(),
    };

    private static long ReadMemory(string key)
    {
        if (File.ReadLines("/proc/meminfo").FirstOrDefault(l => l.StartsWith(key, StringComparison.Ordinal)) is not { } line)
            return 0;
        var kilobytes = line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1];
        return long.Parse(kilobytes, CultureInfo.InvariantCulture) * 1024;
    }
}
