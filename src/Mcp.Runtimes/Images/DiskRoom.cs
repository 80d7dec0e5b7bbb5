using Mcp.Model.Errors;
using Mcp.Model.Images;

namespace Mcp.Runtimes.Images;

/// <summary>The last of a disk belongs to the node: its registry and its logs need it when images have taken all the rest.</summary>
internal sealed class DiskRoom(string directory)
{
    // The disk is asked after so much was written.
    private const long Step = 256 * 1024;
    private const int NoSpaceLeft = 28;
    private readonly DriveInfo _disk = new(directory);
    private long _since = Step;

    /// <summary>Before so many bytes are written.</summary>
    /// <exception cref="McpException">disk.full</exception>
    public void Take(long bytes)
    {
        _since += bytes;
        if (_since < Step)
            return;
        Need(_since);
        _since = 0;
    }

    /// <summary>Before something is begun that takes about so much.</summary>
    /// <exception cref="McpException">disk.full</exception>
    public void Need(long bytes)
    {
        var (free, kept) = (_disk.AvailableFreeSpace, _disk.TotalSize / DiskSpace.Kept);
        if (free - bytes < kept)
            throw Full(directory, $"{free / 1024 / 1024} MiB are free, and the last {kept / 1024 / 1024} MiB are kept for the node itself");
    }

    /// <summary>Null: it is another failure.</summary>
    public static McpException? Of(Exception e, string directory) =>
        e is IOException { HResult: NoSpaceLeft } ? Full(directory, "no space is left", e) : null;

    private static McpException Full(string directory, string why, Exception? cause = null) =>
        new(
            ErrorCode.DiskFull,
            $"the disk of {directory} is full: {why}",
            "free some space (mcp images prune removes images that nothing uses); nothing was lost",
            cause);
}
