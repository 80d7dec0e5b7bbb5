using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Mcp.Machine;

/// <content>Files: opened without what .NET adds of its own accord, locked, linked, owned, brought to the disk.</content>
public static partial class Posix
{
    // sys/file.h, fcntl.h
    private const int LockShared = 1;
    private const int LockExclusive = 2;
    private const int LockNow = 4;
    private const int SetDescriptorFlags = 2;
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    /// <summary>Takes the file's lock for as long as the handle is open; the kernel lets go of it when the process dies.</summary>
    public static bool TryLock(SafeFileHandle file, bool exclusive) => Flock(file, (exclusive ? LockExclusive : LockShared) | LockNow) == 0;

    /// <summary>Waits until nobody else has the file's lock, and takes it as <see cref="TryLock"/> does. It does not end by
    /// itself.</summary>
    public static void Lock(SafeFileHandle file)
    {
        while (Flock(file, LockExclusive) < 0)
        {
            if (Marshal.GetLastPInvokeError() != Errno.Interrupted)
                throw Failure("cannot lock a file");
        }
    }

    /// <summary>A directory to reach short paths through: /proc/self/fd/N/name.</summary>
    public static SafeFileHandle Directory(string path) => Opened(path, OpenFlags.PathOnly | OpenFlags.Directory);

    /// <summary>A directory to lock, and to bring to the disk what was renamed in it.</summary>
    public static SafeFileHandle DirectoryItself(string path) => Opened(path, OpenFlags.Directory);

    /// <summary>For reading, without the lock that .NET takes of its own accord; null: it is not there.</summary>
    public static SafeFileHandle? Unlocked(string path)
    {
        var file = Open(path, OpenFlags.CloseOnExec, 0);
        if (!file.IsInvalid)
            return file;
        file.Dispose();
        return Marshal.GetLastPInvokeError() == Errno.Missing ? null : throw Failure($"cannot open {path}");
    }

    /// <summary>For reading and writing, made if it is not there, without the lock that .NET takes of its own accord. A link is
    /// refused.</summary>
    public static SafeFileHandle OwnFile(string path) => Opened(path, OpenFlags.ReadWrite | OpenFlags.Create | OpenFlags.NoFollow);

    /// <summary>Returns when all that was written, or in a directory renamed, is on the disk.</summary>
    public static void Flush(SafeFileHandle file) => Check(Synchronise(file), "cannot write to the disk");

    /// <summary>Lets the programs that this process starts inherit the descriptor.</summary>
    public static void Inherit(SafeHandle file) => Check(Control(file, SetDescriptorFlags, 0), "cannot pass on a file");

    public static void Link(string existing, string path) => Check(HardLink(existing, path), $"cannot link {existing} to {path}");

    /// <summary>Of the link itself, not of what it leads to.</summary>
    public static void Owner(string path, int user, int group) => Check(LinkOwner(path, user, group), $"cannot change the owner of {path}");

    /// <summary>An extended attribute of the link itself, not of what it leads to.</summary>
    public static void SetAttribute(string path, string name, byte[] value) =>
        Check(SetLinkAttribute(path, name, value, (nuint)value.Length, 0), $"cannot set {name} of {path}");

    private static SafeFileHandle Opened(string path, int flags)
    {
        var file = Open(path, flags | OpenFlags.CloseOnExec, OwnerOnly);
        return file.IsInvalid ? throw Failure($"cannot open {path}") : file;
    }

    private static SafeFileHandle Open(string path, int flags, UnixFileMode mode) =>
        new(OpenPath(path, flags, (uint)mode), ownsHandle: true);

    [LibraryImport("libc", EntryPoint = "flock", SetLastError = true)]
    private static partial int Flock(SafeFileHandle file, int operation);

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial nint OpenPath(string path, int flags, uint mode);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int Synchronise(SafeFileHandle file);

    [LibraryImport("libc", EntryPoint = "fcntl", SetLastError = true)]
    private static partial int Control(SafeHandle file, int command, int value);

    [LibraryImport("libc", EntryPoint = "link", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int HardLink(string existing, string path);

    [LibraryImport("libc", EntryPoint = "lchown", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int LinkOwner(string path, int user, int group);

    [LibraryImport("libc", EntryPoint = "lsetxattr", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int SetLinkAttribute(string path, string name, byte[] value, nuint size, int flags);
}
