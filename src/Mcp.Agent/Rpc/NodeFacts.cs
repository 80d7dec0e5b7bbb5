using System.Globalization;
using System.Runtime.InteropServices;
using Mcp.Protocol.V1;

namespace Mcp.Agent.Rpc;

/// <summary>What the machine has: CPUs, memory (MemTotal and MemAvailable), the file system of the state directory, load over a minute.</summary>
internal static class NodeFacts
{
    public static NodeStatusReply Read(AgentConfig config)
    {
        var disk = new DriveInfo(config.State);
        return new NodeStatusReply
        {
            Node = config.Name.Text,
            Zone = config.Zone,
            Overlay = config.Proxy.Overlay ?? "",
            Edge = config.Edge is not null,
            Architecture = Architecture(),
            Cpus = Environment.ProcessorCount,
            MemoryBytes = Memory("MemTotal:"),
            MemoryFreeBytes = Memory("MemAvailable:"),
            DiskBytes = disk.TotalSize,
            DiskFreeBytes = disk.AvailableFreeSpace,
            Load = double.Parse(File.ReadAllText("/proc/loadavg").Split(' ')[0], CultureInfo.InvariantCulture),
        };
    }

    // As image manifests say it.
    private static string Architecture() => RuntimeInformation.OSArchitecture switch
    {
        System.Runtime.InteropServices.Architecture.X64 => "amd64",
        var other => other.ToString().ToLowerInvariant(),
    };

    private static long Memory(string key)
    {
        var line = File.ReadLines("/proc/meminfo").FirstOrDefault(l => l.StartsWith(key, StringComparison.Ordinal));
        return line is null ? 0 : long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) * 1024;
    }
}
