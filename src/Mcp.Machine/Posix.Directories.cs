using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Mcp.Machine;

/// <content>Relative to an open directory, links never followed: a path can be swapped between check and use, an open directory cannot.
/// These return what the C library does; the errno is in Marshal.GetLastPInvokeError.</content>
public static partial class Posix
{
    // linux/fs.h
    private const uint NoReplace = 1;

    /// <returns>An invalid handle on failure.</returns>
    public static SafeFileHandle OpenAt(SafeFileHandle directory, string name, int flags, UnixFileMode mode = 0) =>
        new(OpenBelow(directory, name, flags | OpenFlags.NoFollow | OpenFlags.CloseOnExec, (uint)mode), ownsHandle: true);

    /// <summary>A directory by its whole path, links followed.</summary>
    /// <returns>An invalid handle on failure.</returns>
    public static SafeFileHandle OpenRoot(string path) => Open(path, OpenFlags.Directory | OpenFlags.CloseOnExec, 0);

    /// <summary>A directory by its whole path, whose last part is no link.</summary>
    /// <exception cref="IOException">It is not there, or is none.</exception>
    public static SafeFileHandle DirectoryNoLink(string path) => Opened(path, OpenFlags.Directory | OpenFlags.NoFollow);

    [LibraryImport("libc", EntryPoint = "mkdirat", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int MakeDirectoryAt(SafeFileHandle directory, string name, uint mode);

    [LibraryImport("libc", EntryPoint = "renameat", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int RenameAt(SafeFileHandle from, string name, SafeFileHandle to, string newName);

    /// <summary>As <see cref="RenameAt"/>; whatever has the new name stays (errno: exists).</summary>
    public static int RenameNewAt(SafeFileHandle from, string name, SafeFileHandle to, string newName) =>
        RenameWith(from, name, to, newName, NoReplace);

    [LibraryImport("libc", EntryPoint = "renameat2", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int RenameWith(SafeFileHandle from, string name, SafeFileHandle to, string newName, uint flags);

    [LibraryImport("libc", EntryPoint = "unlinkat", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int UnlinkAt(SafeFileHandle directory, string name, int flags);

    [LibraryImport("libc", EntryPoint = "openat", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial nint OpenBelow(SafeFileHandle directory, string name, int flags, uint mode);
}
