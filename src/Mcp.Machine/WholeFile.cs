using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Mcp.Machine;

/// <summary>Files that hold a secret or a state: there whole or not at all, whenever the process is killed or the machine loses its power.
/// Only their owner may read them, unless another mode is given; it is theirs before the first byte, whatever the umask.</summary>
public static class WholeFile
{
    /// <summary>What is not whole yet is called so, beside its place.</summary>
    public const string Half = ".new";

    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    /// <summary>A new file; one that is there is never overwritten, and what a kill leaves may be half.</summary>
    /// <exception cref="IOException">It is there already, or cannot be written.</exception>
    public static void Create(string file, string text, UnixFileMode mode = OwnerOnly) =>
        Write(file, s => s.Write(Encoding.UTF8.GetBytes(text)), mode);

    /// <summary>Puts the text in the file's place. The old one stays until the new one is whole and on the disk.</summary>
    /// <exception cref="IOException">It cannot be written; the old one is as it was.</exception>
    public static void Replace(string file, string text, UnixFileMode mode = OwnerOnly) =>
        Replace(file, s => s.Write(Encoding.UTF8.GetBytes(text)), mode);

    /// <param name="write">Whatever it throws, the old file is as it was.</param>
    /// <inheritdoc cref="Replace(string, string, UnixFileMode)"/>
    public static void Replace(string file, Action<Stream> write, UnixFileMode mode = OwnerOnly)
    {
        var half = file + Half;
        using var directory = Open(file);
        WaitForTurn(directory);
        try
        {
            // A kill left it, and somebody may have it open.
            File.Delete(half);
            Write(half, write, mode);
            File.Move(half, file, overwrite: true);
        }
        catch
        {
            File.Delete(half);
            throw;
        }

        Settle(directory);
    }

    /// <summary>Puts a file that was made beside it in the file's place, once all of it is on the disk.</summary>
    public static void Place(string made, string file)
    {
        using (var whole = File.OpenHandle(made, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite))
            Posix.Flush(whole);
        File.Move(made, file, overwrite: true);
        using var directory = Open(file);
        Settle(directory);
    }

    /// <summary>Returns when it is on the disk that this file or directory was renamed to what it is called now.</summary>
    public static void Settle(string path)
    {
        using var directory = Open(path);
        Settle(directory);
    }

    private static SafeFileHandle Open(string file) => Posix.DirectoryItself(Path.GetDirectoryName(Path.GetFullPath(file))!);

    private static void Write(string file, Action<Stream> write, UnixFileMode mode)
    {
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = mode };
        using var stream = new FileStream(file, options);
        File.SetUnixFileMode(stream.SafeFileHandle, mode);
        write(stream);
        stream.Flush(flushToDisk: true);
    }

    // One writer at a time in a directory: two would write to the same half.
    private static void WaitForTurn(SafeFileHandle directory)
    {
        try
        {
            Posix.Lock(directory);
        }
        catch (IOException)
        {
            // Some network file systems lock no directories. What is there is whole all the same; of two at a time one may fail.
        }
    }

    private static void Settle(SafeFileHandle directory)
    {
        try
        {
            Posix.Flush(directory);
        }
        catch (IOException e) when (e.HResult == Errno.Invalid)
        {
            // A file system that has nothing to do for it.
        }
    }
}
