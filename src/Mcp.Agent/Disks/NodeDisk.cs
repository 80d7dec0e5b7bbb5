using Mcp.Model.Images;

namespace Mcp.Agent.Disks;

/// <summary>A file system that something of mcp's is on.</summary>
/// <param name="Path">Its topmost directory; where it does not answer, the one that was asked for.</param>
/// <param name="Space">Null: it does not answer.</param>
/// <param name="Holds">What of mcp's is on it, volumes apart.</param>
/// <param name="Volumes">SERVICE/NAME of named ones, and directories of the host.</param>
/// <param name="IsNearlyFull">And has volumes.</param>
public sealed record NodeDisk(
    string Path,
    DiskSpace? Space,
    IReadOnlyList<string> Holds,
    IReadOnlyList<string> Volumes,
    bool IsNearlyFull)
{
    /// <summary>Nothing more is pulled soon, or written down.</summary>
    public bool IsShort => Holds.Count > 0 && Space is { IsShort: true };
}
