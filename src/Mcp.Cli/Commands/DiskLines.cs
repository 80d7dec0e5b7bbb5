using Mcp.Protocol.V1;

namespace Mcp.Cli.Commands;

/// <summary>doctor's lines about disks: ok, "soon" where volumes have hardly room, or failed.</summary>
internal static class DiskLines
{
    private const int MostVolumes = 5;

    public static IEnumerable<string[]> Of(NodeStatusReply node) => node.Disks.Count > 0
        ? node.Disks.Select(d => Line("", d))
        // An agent that does not tell of them yet.
        :
        [
            [
                node.DiskFreeBytes > node.DiskBytes / 20 ? "ok" : "failed",
                "disk",
                $"{NodeCommands.Gib(node.DiskFreeBytes)} of {NodeCommands.Gib(node.DiskBytes)} free",
            ],
        ];

    /// <summary>Only those that somebody should hear of.</summary>
    public static IEnumerable<string[]> Bad(string whose, IEnumerable<NodeDisk> disks) =>
        disks.Where(d => d.Short || d.NearlyFull || d.Bytes == 0).Select(d => Line(whose, d));

    private static string[] Line(string whose, NodeDisk disk)
    {
        var result = disk.Short || disk.Bytes == 0 ? "failed" : disk.NearlyFull ? "soon" : "ok";
        var volumes = disk.Volumes.Count <= MostVolumes
            ? string.Join(", ", disk.Volumes)
            : $"{string.Join(", ", disk.Volumes.Take(MostVolumes))} and {disk.Volumes.Count - MostVolumes} more";
        var on = string.Join(", ", disk.Holds.Append(volumes.Length == 0 ? "" : $"volumes {volumes}").Where(t => t.Length > 0));
        var space = disk.Bytes == 0
            ? "does not answer"
            : $"{NodeCommands.Gib(disk.FreeBytes)} of {NodeCommands.Gib(disk.Bytes)} free";
        var hint = disk.Short ? " -> remove images that nothing uses: mcp images prune"
            : disk.Bytes == 0 ? " -> is it a network file system whose server is away?"
            : disk.NearlyFull ? " -> make room, or give the volumes a larger disk"
            : "";
        return [result, $"{whose}disk {disk.Path}", $"{space}; on it: {on}{hint}"];
    }
}
