using Mcp.Model.Errors;

namespace Mcp.Runtimes.Images;

/// <summary>What one image may take.</summary>
/// <param name="MaxBytes">Packed, and unpacked: every file counts, also one that a later layer replaces, and each hard link like a
/// copy.</param>
/// <param name="MaxEntries">Files, directories and links, all layers together.</param>
public sealed record ImageLimits(long MaxBytes, long MaxEntries)
{
    public static ImageLimits Default { get; } = new(20L * 1024 * 1024 * 1024, 1_000_000);
}

/// <summary>Counts what one image takes while it is unpacked, and ends it before it takes too much.</summary>
internal sealed class Allowance(ImageLimits limits, DiskRoom room)
{
    // What a file takes of a disk beyond its content.
    private const long EntryBytes = 4096;
    private long _bytes;
    private long _entries;

    /// <exception cref="McpException">image.too_large, disk.full</exception>
    public void Bytes(long count)
    {
        _bytes += count;
        if (_bytes > limits.MaxBytes)
            throw TooLarge(limits.MaxBytes);
        room.Take(count);
    }

    /// <exception cref="McpException">image.too_large, disk.full</exception>
    public void Entries(long count)
    {
        _entries += count;
        if (_entries > limits.MaxEntries)
        {
            throw new McpException(
                ErrorCode.ImageTooLarge,
                $"it has more than {limits.MaxEntries} files",
                "use a smaller image, or allow more: image_max_entries in [qemu] of agent.toml");
        }

        room.Take(count * EntryBytes);
    }

    public static McpException TooLarge(long maxBytes) =>
        new(
            ErrorCode.ImageTooLarge,
            $"it is larger than {maxBytes / 1024 / 1024} MiB",
            "use a smaller image, or allow more: image_max_mb in [qemu] of agent.toml");
}
