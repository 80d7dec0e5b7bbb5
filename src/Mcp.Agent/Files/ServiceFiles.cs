using System.Runtime.InteropServices;
using System.Text;
using Mcp.Daemon.Operations;
using Mcp.Machine;
using Mcp.Model.Errors;
using Mcp.Model.Names;
using Microsoft.Win32.SafeHandles;

namespace Mcp.Agent.Files;

/// <summary>Push and pull of single files, each service below its own directory. Walks down from an open directory without following
/// links, so neither ".." nor a symbolic link, also one swapped in meanwhile, leads out of it.</summary>
/// <param name="root">The directory of the services' directories, usually /srv.</param>
public sealed class ServiceFiles(string root)
{
    private const int MostParts = 32;
    private const int LongestName = 255 - 16;
    private const UnixFileMode Permissions = (UnixFileMode)0x1FF;
    private readonly ServiceLocks _pushing = new();

    /// <summary>Writes the whole file beside its place and moves it there: readers see the old or the new one, never a half.</summary>
    /// <returns>The file's path on the node and its size in bytes.</returns>
    /// <exception cref="McpException">file.path, file.outside, file.failed</exception>
    public async Task<(string Path, long Bytes)> PushAsync(
        Label service,
        string path,
        UnixFileMode mode,
        IAsyncEnumerable<ReadOnlyMemory<byte>> data,
        CancellationToken ct)
    {
        var parts = Parts(service, path);
        using var held = await _pushing.TakeAsync(service, ct);
        Directory.CreateDirectory(root);
        using var directory = Walk(service, parts, create: true);
        RefuseLink(directory, parts[^1], path);
        var half = $".{parts[^1]}.mcp-push";
        _ = Posix.UnlinkAt(directory, half, 0);
        using var file = Posix.OpenAt(
            directory, half, OpenFlags.WriteOnly | OpenFlags.Create | OpenFlags.Exclusive, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        if (file.IsInvalid)
            throw Failed(path, "cannot be written");
        try
        {
            var written = 0L;
            await foreach (var chunk in data.WithCancellation(ct))
            {
                await RandomAccess.WriteAsync(file, chunk, written, ct);
                written += chunk.Length;
            }

            RandomAccess.FlushToDisk(file);
            File.SetUnixFileMode(file, mode & Permissions);
            return Posix.RenameAt(directory, half, directory, parts[^1]) == 0
                ? (PathOf(service, parts), written)
                : throw Failed(path, "cannot be replaced");
        }
        catch
        {
            _ = Posix.UnlinkAt(directory, half, 0);
            throw;
        }
    }

    /// <returns>The open file, which the caller closes, and its permission bits.</returns>
    /// <exception cref="McpException">file.path, file.outside, file.unknown, file.failed</exception>
    public (SafeFileHandle File, UnixFileMode Mode) Open(Label service, string path)
    {
        var parts = Parts(service, path);
        using var directory = Walk(service, parts, create: false);
        var file = Posix.OpenAt(directory, parts[^1], OpenFlags.ReadOnly | OpenFlags.NonBlocking);
        try
        {
            if (file.IsInvalid)
                throw Failed(PathOf(service, parts), "cannot be read");
            if (!IsRegular(file))
                throw new McpException(ErrorCode.FileFailed, $"{Label.Clip(path)} is not a regular file", "pull one file at a time");
            return (file, File.GetUnixFileMode(file) & Permissions);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    private static bool IsRegular(SafeFileHandle file)
    {
        try
        {
            return !File.GetAttributes(file).HasFlag(FileAttributes.Directory) && RandomAccess.GetLength(file) >= 0;
        }
        catch (NotSupportedException)
        {
            // A pipe or a socket.
            return false;
        }
    }

    private string[] Parts(Label service, string path)
    {
        var own = $"{root}/{service}/";
        var relative = path.StartsWith(own, StringComparison.Ordinal) ? path[own.Length..] : path;
        var parts = relative.Split('/');
        if (relative.StartsWith('/') || parts.Contains(".."))
        {
            throw new McpException(
                ErrorCode.FileOutside,
                $"'{Label.Clip(path)}' lies outside of the service's directory",
                $"a path below {own}, without ..");
        }

        return parts.Length <= MostParts && parts.All(IsName)
            ? parts
            : throw new McpException(
                ErrorCode.FilePath,
                $"'{Label.Clip(path)}' is not a file's path",
                $"at most {MostParts} names of 1 to {LongestName} bytes with / between, below {own}");
    }

    private string PathOf(Label service, string[] parts) => $"{root}/{service}/{string.Join('/', parts)}";

    private static bool IsName(string part) =>
        part.Length > 0 && part != "." && !part.Any(char.IsControl) && Encoding.UTF8.GetByteCount(part) <= LongestName;

    private SafeFileHandle Walk(Label service, string[] parts, bool create)
    {
        var directory = Posix.OpenRoot(root);
        if (directory.IsInvalid)
            throw Failed(root, "cannot be opened");
        foreach (var part in parts[..^1].Prepend(service.Text))
        {
            using var above = directory;
            if (create && Posix.MakeDirectoryAt(above, part, 0x1ED) != 0 && Marshal.GetLastPInvokeError() != Errno.Exists)
                throw Failed(part, "cannot be made");
            directory = Posix.OpenAt(above, part, OpenFlags.ReadOnly | OpenFlags.Directory);
            if (directory.IsInvalid)
                throw Failed(create ? part : PathOf(service, parts), "is not in a directory that can be opened");
        }

        return directory;
    }

    private static void RefuseLink(SafeFileHandle directory, string name, string path)
    {
        using var there = Posix.OpenAt(directory, name, OpenFlags.ReadOnly | OpenFlags.NonBlocking);
        if (there.IsInvalid && Marshal.GetLastPInvokeError() == Errno.Loop)
            throw Failed(path, "cannot be written", Errno.Loop);
    }

    private static McpException Failed(string what, string why, int? known = null)
    {
        var error = known ?? Marshal.GetLastPInvokeError();
        return error switch
        {
            Errno.Loop or Errno.NotDirectory => new McpException(
                ErrorCode.FileOutside,
                $"{Label.Clip(what)} {why}: it leads through a symbolic link or a file",
                "name the directory itself; links are never followed"),
            Errno.Missing => new McpException(ErrorCode.FileUnknown, $"there is no file {Label.Clip(what)}", ""),
            _ => new McpException(ErrorCode.FileFailed, $"{Label.Clip(what)} {why}: {Marshal.GetPInvokeErrorMessage(error)}", ""),
        };
    }
}
