using System.Runtime.InteropServices;

namespace Mcp.Machine;

/// <summary>What the kernel knows of a file or directory.</summary>
/// <param name="Device">Of its file system.</param>
/// <param name="Links">Names that it has.</param>
/// <param name="Bytes">That it takes of the disk.</param>
public readonly record struct FileStatus(ulong Device, ulong Inode, uint Links, long Bytes);

/// <content>What the kernel knows of files; .NET tells neither their file system nor how many names they have.</content>
public static partial class Posix
{
    // linux/stat.h: the same on every architecture.
    private const int StatusBytes = 256;
    private const int LinksAt = 16;
    private const int InodeAt = 32;
    private const int BlocksAt = 48;
    private const int DeviceAt = 136;
    private const int BlockBytes = 512;
    private const int WorkingDirectory = -100;
    private const int NoFollow = 0x100;
    private const uint BasicStatus = 0x7ff;

    /// <summary>Null: it is not there, or may not be looked at. May wait for ever for a network file system.</summary>
    /// <param name="follow">Of what a link leads to.</param>
    public static FileStatus? Status(string path, bool follow)
    {
        Span<byte> status = stackalloc byte[StatusBytes];
        if (ExtendedStatus(WorkingDirectory, path, follow ? 0 : NoFollow, BasicStatus, ref MemoryMarshal.GetReference(status)) != 0)
            return null;
        return new FileStatus(
            Word(status, DeviceAt),
            Word(status, InodeAt),
            BitConverter.ToUInt32(status[LinksAt..]),
            (long)Word(status, BlocksAt) * BlockBytes);
    }

    private static ulong Word(ReadOnlySpan<byte> bytes, int at) => BitConverter.ToUInt64(bytes[at..]);

    [LibraryImport("libc", EntryPoint = "statx", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int ExtendedStatus(int directory, string path, int flags, uint mask, ref byte status);
}
