using System.Collections.Concurrent;
using Mcp.Machine;
using Mcp.Model.Images;

namespace Mcp.Agent.Disks;

/// <param name="Mount">The topmost directory of the file system, as far as the path tells: the same for all paths on it.</param>
public sealed record Gauged(string Mount, DiskSpace Space);

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
            if (Mount(there) is not { } mount)
                return null;
            // What is reserved for root is neither used nor free, as df counts it.
            var (free, used) = (disk.AvailableFreeSpace, disk.TotalSize - disk.TotalFreeSpace);
            return new Gauged(mount, new DiskSpace(used + free, free));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            return null;
        }
    }

    // Where a link leads to another file system, the link.
    private static string? Mount(string path)
    {
        if (Posix.Status(path, follow: true) is not { Device: var device })
            return null;
        while (Path.GetDirectoryName(path) is { } above && Posix.Status(above, follow: true)?.Device == device)
            path = above;
        return path;
    }
}
