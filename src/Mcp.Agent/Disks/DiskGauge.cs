using System.Collections.Concurrent;
using Mcp.Machine;
using Mcp.Model.Images;

namespace Mcp.Agent.Disks;

/// <param name="Device">Of the file system: the same for all paths on it.</param>
public sealed record Gauged(ulong Device, DiskSpace Space);

/// <summary>How full file systems are. A dead network file system may never answer, so each path has a thread of its own that nobody waits
/// for long, and no second one while the first one waits.</summary>
public sealed class DiskGauge
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(2);
    private readonly ConcurrentDictionary<string, Task<Gauged?>> _asked = new();

    /// <param name="path">Where it is missing, the nearest directory above.</param>
    /// <returns>Null: it does not answer in time, or cannot.</returns>
    public async Task<Gauged?> OfAsync(string path, CancellationToken ct)
    {
        var asked = _asked.GetOrAdd(path, p => Task.Factory.StartNew(
            () => Read(p), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default));
        try
        {
            return await asked.WaitAsync(s_limit, ct);
        }
        catch (TimeoutException)
        {
            return null;
        }
        finally
        {
            if (asked.IsCompleted)
                _asked.TryRemove(new(path, asked));
        }
    }

    private static Gauged? Read(string path)
    {
        try
        {
            var there = path;
            while (!Path.Exists(there) && Path.GetDirectoryName(there) is { } above)
                there = above;
            var disk = new DriveInfo(there);
            return Posix.Status(there, follow: true) is { } status
                ? new Gauged(status.Device, new DiskSpace(disk.TotalSize, disk.AvailableFreeSpace))
                : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            return null;
        }
    }
}
