using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Mcp.Agent.Files;

/// <summary>The calls that work relative to an open directory; .NET has none, and paths can be swapped between check and use.</summary>
internal static partial class Posix
{
    // errno.h
    public const int Missing = 2;
    public const int Exists = 17;
    public const int NotDirectory = 20;
    public const int Loop = 40;

    // fcntl.h; two of them differ between architectures.
    public const int ReadOnly = 0;
    public const int WriteOnly = 1;
    public const int Create = 0x40;
    public const int Exclusive = 0x80;
    public const int NonBlocking = 0x800;
    private const int CloseOnExec = 0x80000;
    private static readonly bool s_arm = RuntimeInformation.OSArchitecture == Architecture.Arm64;

    public static readonly int Directory = s_arm ? 0x4000 : 0x10000;
    public static readonly int NoFollow = s_arm ? 0x8000 : 0x20000;

    /// <returns>An invalid handle on failure; errno is in Marshal.GetLastPInvokeError.</returns>
    public static SafeFileHandle Open(SafeFileHandle directory, string name, int flags, UnixFileMode mode = 0) =>
        new(OpenAt(directory, name, flags | NoFollow | CloseOnExec, (uint)mode), ownsHandle: true);

    /// <summary>Opens a directory by its whole path, links followed.</summary>
    public static SafeFileHandle OpenRoot(string path) => new(OpenPath(path, Directory | CloseOnExec), ownsHandle: true);

    [LibraryImport("libc", EntryPoint = "openat", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial nint OpenAt(SafeFileHandle directory, string name, int flags, uint mode);

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial nint OpenPath(string path, int flags);

    [LibraryImport("libc", EntryPoint = "mkdirat", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int MakeDirectory(SafeFileHandle directory, string name, uint mode);

    [LibraryImport("libc", EntryPoint = "renameat", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int Rename(SafeFileHandle from, string name, SafeFileHandle to, string newName);

    [LibraryImport("libc", EntryPoint = "unlinkat", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int Unlink(SafeFileHandle directory, string name, int flags);
}
