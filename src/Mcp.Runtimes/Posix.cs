using System.ComponentModel;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Mcp.Runtimes;

/// <summary>The calls of the C library that .NET does not offer. Failures are IOExceptions with the errno's text.</summary>
internal static partial class Posix
{
    public const int TermSignal = 15;
    public const int KillSignal = 9;
    private const int LockShared = 1;
    private const int LockExclusive = 2;
    private const int LockNow = 4;
    private const int PathOnly = 0x200000;
    private const int OpenDirectory = 0x10000;
    private const int CloseOnExec = 0x80000;
    private const int ReadWrite = 2;
    private const int Create = 0x40;
    private const int NoFollow = 0x20000;
    private const int OwnerMayReadAndWrite = 0x180; // 0600
    private const int SetDescriptorFlags = 2;
    private const int NotThere = 2;
    private const int Interrupted = 4;
    // linux/sched.h, linux/mount.h, linux/fcntl.h
    private const int NewMounts = 0x20000;
    private const ulong MountBind = 4096;
    private const ulong MountRecursive = 16384;
    private const ulong MountPrivate = 1 << 18;
    private const int CurrentDirectory = -100;
    private const uint Recursive = 0x8000;

    /// <summary>Takes the file's lock for as long as the handle is open; the kernel lets go of it when the process dies.</summary>
    public static bool TryLock(SafeFileHandle file, bool exclusive) => Flock(file, (exclusive ? LockExclusive : LockShared) | LockNow) == 0;

    /// <summary>Waits until nobody else has the file's lock, and takes it as <see cref="TryLock"/> does. It does not end by itself.</summary>
    public static void Lock(SafeFileHandle file)
    {
        while (Flock(file, LockExclusive) < 0)
        {
            if (Marshal.GetLastPInvokeError() != Interrupted)
                throw Failure("cannot lock a file");
        }
    }

    /// <summary>A directory to reach short paths through: /proc/self/fd/N/name.</summary>
    public static SafeFileHandle Directory(string path)
    {
        var descriptor = Open(path, PathOnly | OpenDirectory | CloseOnExec);
        return descriptor >= 0 ? new SafeFileHandle(descriptor, ownsHandle: true) : throw Failure($"cannot open {path}");
    }

    /// <summary>For reading, without the lock that .NET takes of its own accord; null: it is not there.</summary>
    public static SafeFileHandle? Unlocked(string path)
    {
        var descriptor = Open(path, CloseOnExec);
        return descriptor >= 0 ? new SafeFileHandle(descriptor, ownsHandle: true)
            : Marshal.GetLastPInvokeError() == NotThere ? null : throw Failure($"cannot open {path}");
    }

    /// <summary>For reading and writing, made if it is not there, without the lock that .NET takes of its own accord. A link is refused.</summary>
    public static SafeFileHandle OwnFile(string path)
    {
        var descriptor = OpenNew(path, ReadWrite | Create | NoFollow | CloseOnExec, OwnerMayReadAndWrite);
        return descriptor >= 0 ? new SafeFileHandle(descriptor, ownsHandle: true) : throw Failure($"cannot open {path}");
    }

    /// <summary>Lets the programs that this process starts inherit the descriptor.</summary>
    public static void Inherit(SafeHandle file) => Check(Control(file, SetDescriptorFlags, 0), "cannot pass on a file");

    public static void Link(string existing, string path) => Check(HardLink(existing, path), $"cannot link {existing} to {path}");

    /// <summary>Of the link itself, not of what it leads to.</summary>
    public static void Owner(string path, int user, int group) => Check(LinkOwner(path, user, group), $"cannot change the owner of {path}");

    /// <summary>An extended attribute of the link itself, not of what it leads to.</summary>
    public static void SetAttribute(string path, string name, byte[] value) => Check(SetLinkAttribute(path, name, value, (nuint)value.Length, 0), $"cannot set {name} of {path}");

    /// <summary>From now on what this thread mounts is seen only by itself and the programs it starts.</summary>
    /// <exception cref="IOException">Not without CAP_SYS_ADMIN.</exception>
    public static void OwnMounts()
    {
        Check(Unshare(NewMounts), "cannot make a mount namespace");
        Check(Mount("none", "/", null, MountPrivate | MountRecursive, 0), "cannot make the mounts private");
    }

    /// <summary>Shows a directory once more, read-only, with all that is mounted below it, to whoever shares this thread's mounts.</summary>
    public static void BindReadOnly(string source, string path)
    {
        Check(Mount(source, path, null, MountBind | MountRecursive, 0), $"cannot bind {source}");
        // struct mount_attr: set, clear, propagation, user namespace.
        ulong[] readOnly = [1, 0, 0, 0];
        Check(SetMount(CurrentDirectory, path, Recursive, readOnly, (nuint)(readOnly.Length * sizeof(ulong))), $"cannot make {source} read-only");
    }

    /// <summary>Away from the terminal and the files of whoever started this process.</summary>
    public static void Detach()
    {
        _ = SetSession();
        using var nothing = File.OpenHandle("/dev/null", FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite);
        for (var standard = 0; standard <= 2; standard++)
            _ = Duplicate(nothing, standard);
    }

    /// <summary>False: there is no such process.</summary>
    public static bool Signal(int process, int signal) => Kill(process, signal) == 0;

    public static bool IsRoot => EffectiveUser() == 0;

    public static void Check(int result, string what)
    {
        if (result < 0)
            throw Failure(what);
    }

    private static IOException Failure(string what)
    {
        var cause = new Win32Exception(Marshal.GetLastPInvokeError());
        return new IOException($"{what}: {cause.Message}", cause) { HResult = cause.NativeErrorCode };
    }

    [LibraryImport("libc", EntryPoint = "flock", SetLastError = true)]
    private static partial int Flock(SafeFileHandle file, int operation);

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int OpenNew(string path, int flags, int mode);

    [LibraryImport("libc", EntryPoint = "fcntl", SetLastError = true)]
    private static partial int Control(SafeHandle file, int command, int value);

    [LibraryImport("libc", EntryPoint = "link", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int HardLink(string existing, string path);

    [LibraryImport("libc", EntryPoint = "lchown", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int LinkOwner(string path, int user, int group);

    [LibraryImport("libc", EntryPoint = "setsid")]
    private static partial int SetSession();

    [LibraryImport("libc", EntryPoint = "dup2")]
    private static partial int Duplicate(SafeFileHandle from, int to);

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int Kill(int process, int signal);

    [LibraryImport("libc", EntryPoint = "lsetxattr", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int SetLinkAttribute(string path, string name, byte[] value, nuint size, int flags);

    [LibraryImport("libc", EntryPoint = "unshare", SetLastError = true)]
    private static partial int Unshare(int what);

    [LibraryImport("libc", EntryPoint = "mount", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Mount(string source, string target, string? type, ulong flags, nint data);

    [LibraryImport("libc", EntryPoint = "mount_setattr", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int SetMount(int directory, string path, uint flags, ulong[] attributes, nuint size);

    [LibraryImport("libc", EntryPoint = "geteuid")]
    private static partial uint EffectiveUser();
}
