using System.Runtime.InteropServices;

namespace Mcp.Machine;

/// <content>Mounts that only this process and its children see.</content>
public static partial class Posix
{
    // linux/sched.h, linux/mount.h, linux/fcntl.h
    private const int NewMounts = 0x20000;
    private const ulong MountBind = 4096;
    private const ulong MountRecursive = 16384;
    private const ulong MountPrivate = 1 << 18;
    private const int CurrentDirectory = -100;
    private const uint Recursive = 0x8000;

    /// <summary>From now on what this thread mounts is seen only by itself and the programs it starts.</summary>
    /// <exception cref="IOException">Not without CAP_SYS_ADMIN.</exception>
    public static void OwnMounts()
    {
        Check(Unshare(NewMounts), "cannot make a mount namespace");
        Check(Mount("none", "/", null, MountPrivate | MountRecursive, 0), "cannot make the mounts private");
    }

    /// <summary>Shows a directory once more, read-only, with all that is mounted below it, to whoever shares this thread's
    /// mounts.</summary>
    public static void BindReadOnly(string source, string path)
    {
        Check(Mount(source, path, null, MountBind | MountRecursive, 0), $"cannot bind {source}");
        // struct mount_attr: set, clear, propagation, user namespace.
        ulong[] readOnly = [1, 0, 0, 0];
        var bytes = (nuint)(readOnly.Length * sizeof(ulong));
        Check(SetMount(CurrentDirectory, path, Recursive, readOnly, bytes), $"cannot make {source} read-only");
    }

    [LibraryImport("libc", EntryPoint = "unshare", SetLastError = true)]
    private static partial int Unshare(int what);

    [LibraryImport("libc", EntryPoint = "mount", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Mount(string source, string target, string? type, ulong flags, nint data);

    [LibraryImport("libc", EntryPoint = "mount_setattr", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int SetMount(int directory, string path, uint flags, ulong[] attributes, nuint size);
}
