using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Mcp.Machine;

/// <content>Owner, mode and extended attributes, through open files: no path is looked up that somebody can turn elsewhere.</content>
public static partial class Posix
{
    // linux/stat.h, linux/fcntl.h, linux/limits.h
    private const int UserAt = 20;
    private const int GroupAt = 24;
    private const int EmptyPath = 0x1000;
    private const int MostAttributeBytes = 65536;

    /// <summary>Gives one file or directory the owner, the mode and the extended attributes of another. What only the kernel and file
    /// systems keep there (trusted.*) stays, and so does what this file system or user cannot set, but for root the owner.</summary>
    public static void CopyAttributes(SafeFileHandle from, SafeFileHandle to)
    {
        Span<byte> status = stackalloc byte[StatusBytes];
        Check(ExtendedStatusOf(from, "", EmptyPath, BasicStatus, ref MemoryMarshal.GetReference(status)), "cannot look at a file");
        var (user, group) = (BitConverter.ToUInt32(status[UserAt..]), BitConverter.ToUInt32(status[GroupAt..]));
        if (SetOwner(to, user, group) < 0 && IsRoot)
            throw Failure("cannot change an owner");
        var list = new byte[MostAttributeBytes];
        var length = (int)ListAttributes(from, list, (nuint)list.Length);
        var names = length > 0 ? Encoding.UTF8.GetString(list, 0, length).Split('\0', StringSplitOptions.RemoveEmptyEntries) : [];
        var value = new byte[MostAttributeBytes];
        foreach (var name in names.Where(n => !n.StartsWith("trusted.", StringComparison.Ordinal)))
        {
            if (GetAttribute(from, name, value, (nuint)value.Length) is var bytes and >= 0)
                _ = SetAttributeOf(to, name, value, (nuint)bytes, 0);
        }

        // Last: another owner takes bits of it away.
        File.SetUnixFileMode(to, File.GetUnixFileMode(from));
    }

    [LibraryImport("libc", EntryPoint = "statx", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int ExtendedStatusOf(SafeFileHandle file, string path, int flags, uint mask, ref byte status);

    [LibraryImport("libc", EntryPoint = "fchown", SetLastError = true)]
    private static partial int SetOwner(SafeFileHandle file, uint user, uint group);

    [LibraryImport("libc", EntryPoint = "flistxattr", SetLastError = true)]
    private static partial nint ListAttributes(SafeFileHandle file, byte[] names, nuint size);

    [LibraryImport("libc", EntryPoint = "fgetxattr", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial nint GetAttribute(SafeFileHandle file, string name, byte[] value, nuint size);

    [LibraryImport("libc", EntryPoint = "fsetxattr", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int SetAttributeOf(SafeFileHandle file, string name, byte[] value, nuint size, int flags);
}
