using System.Collections.Concurrent;
using System.Globalization;
using Mcp.Machine;
using Mcp.Model.Errors;
using Mcp.Runtimes.Images;

namespace Mcp.Runtimes.Qemu.Guests.Linux;

/// <summary>An image's root file system as a disk, made once and shared by all its instances.</summary>
internal static class RootDisk
{
    private const long MiB = 1024 * 1024;
    private const long BlockBytes = 4096;
    private const int NoSpaceInside = 3;
    private static readonly TimeSpan s_limit = TimeSpan.FromMinutes(5);
    private static readonly ConcurrentDictionary<string, SemaphoreSlim> s_turns = new();

    /// <exception cref="McpException">image.disk, disk.full</exception>
    public static async Task<string> MakeAsync(StoredImage image, CancellationToken ct)
    {
        var disk = Path.Combine(image.Directory, "root.ext4");
        var turn = s_turns.GetOrAdd(disk, _ => new SemaphoreSlim(1, 1));
        await turn.WaitAsync(ct);
        try
        {
            if (!File.Exists(disk))
                await FormatAsync(image, disk, ct);
            return disk;
        }
        catch
        {
            File.Delete(Half(disk));
            throw;
        }
        finally
        {
            turn.Release();
        }
    }

    private static async Task FormatAsync(StoredImage image, string disk, CancellationToken ct)
    {
        var files = TreeWalk.Of(image.Root)
            .Select(f => f is FileInfo { LinkTarget: null } file ? file.Length + BlockBytes : BlockBytes)
            .ToList();
        var bytes = files.Sum();
        new DiskRoom(image.Directory).Need(bytes);
        var half = Half(disk);
        var program = Programs.Find("mkfs.ext4")
            ?? throw new McpException(ErrorCode.ImageDisk, "there is no program mkfs.ext4", "install the package e2fsprogs");
        for (var size = (bytes * 5 / 4) + (8 * MiB); ; size *= 2)
        {
            File.Delete(half);
            string[] arguments =
            [
                "-q", "-F", "-b", "4096", "-m", "0", "-O", "^has_journal",
                "-N", (files.Count + 64).ToString(CultureInfo.InvariantCulture),
                "-d", image.Root, half, $"{size / 1024}k",
            ];
            var start = Programs.Start(program, arguments);
            var (code, output) = await Programs.RunAsync(start, s_limit, ct);
            if (code == 0)
                break;
            if (size > bytes * (1 << NoSpaceInside) + (64 * MiB) || !output.Contains("Could not allocate block", StringComparison.Ordinal))
            {
                throw new McpException(
                    ErrorCode.ImageDisk,
                    $"cannot make a disk of the image: {output}",
                    "is the node's disk full? mcp node show says");
            }
        }

        File.SetUnixFileMode(half, UnixFileMode.UserRead | UnixFileMode.GroupRead | UnixFileMode.OtherRead);
        WholeFile.Place(half, disk);
    }

    private static string Half(string disk) => $"{disk}.half";
}
