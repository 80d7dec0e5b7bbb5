using System.Collections.Concurrent;
using System.ComponentModel;
using System.Runtime.InteropServices;
using Mcp.Daemon.Lifecycle;
using Mcp.Machine;
using Mcp.Model.Definition;
using Mcp.Model.Errors;
using Mcp.Model.Names;
using Mcp.Runtimes;
using Microsoft.Win32.SafeHandles;

namespace Mcp.Agent.Volumes;

/// <summary>The services' own volumes: STATE/volumes/SERVICE/NAME. Beside each, by names that no volume can have: NAME.ID.fill, which is
/// being made, NAME.full, which is whole and is put into its place, NAME.ID.gone, which is being removed, NAME.from, which says of which
/// instance's data it is a copy, NAME.undone, what a deploy wrote into such a copy that was undone then; each begins with a dot. Programs
/// write to the volume itself, so nothing in it is ever looked up by a path; what lies beside it is only the agent's.</summary>
public sealed class NamedVolumes(VolumeRoot root)
{
    private const string Half = "fill";
    private const string Whole = "full";
    private const string Gone = "gone";
    private const string From = "from";
    private const string Undone = "undone";
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    // As a directory that is in no image has it in a container.
    private const UnixFileMode Usual = OwnerOnly
        | UnixFileMode.GroupRead | UnixFileMode.GroupExecute | UnixFileMode.OtherRead | UnixFileMode.OtherExecute;

    private static readonly TimeSpan s_sweep = TimeSpan.FromMinutes(1);

    private readonly ConcurrentDictionary<string, SemaphoreSlim> _turns = new();

    // Names of what is being made or removed right now.
    private readonly ConcurrentDictionary<string, bool> _busy = new();

    public VolumeRoot Root => root;

    /// <summary>Removes what was left, from the agent's start on, until cancelled. What cannot be removed is told, and tried
    /// again.</summary>
    public Task RunAsync(FaultLog log, TimeProvider time, CancellationToken ct) => Supervise.EachAsync(
        s_sweep,
        async token =>
        {
            try
            {
                await SweepAsync(token);
                log.Over("volumes");
            }
            // A directory may go while it is looked at.
            catch (Exception e) when (e is McpException or IOException)
            {
                log.WriteOnce("volumes", e);
            }
        },
        time,
        ct);

    /// <summary>Removes what a kill or a failure has left half made or half removed; a program that outlived the agent may still write
    /// there.</summary>
    /// <exception cref="McpException">The first that cannot be removed; the others are.</exception>
    public async Task SweepAsync(CancellationToken ct)
    {
        McpException? failed = null;
        foreach (var left in Services().SelectMany(s => ((string[])[Half, Gone]).SelectMany(w => Left(s, w))).ToList())
        {
            try
            {
                if (!_busy.ContainsKey(Path.GetFileName(left)))
                    await HostTrees.RemoveAsync(left, ct);
            }
            catch (McpException e)
            {
                failed ??= e;
            }
        }

        if (failed is not null)
            throw failed;
    }

    /// <summary>Those that have or had volumes here.</summary>
    public IReadOnlyList<Label> Services() => Directory.Exists(Root.Path)
        ? [.. Directory.EnumerateDirectories(Root.Path)
            .Select(d => Label.TryParse(Path.GetFileName(d), out var service) ? service : null)
            .OfType<Label>()
            .OrderBy(s => s.Text, StringComparer.Ordinal)]
        : [];

    /// <summary>The names of those that are there.</summary>
    public IReadOnlyList<string> Of(Label service) => Directory.Exists(Root.Of(service))
        ? [.. Directory.EnumerateDirectories(Root.Of(service)).Select(d => Path.GetFileName(d)!).Where(VolumePaths.IsName).Order()]
        : [];

    /// <summary>Makes what is not there, and fills what is empty. Safe to repeat; a kill in between loses and doubles nothing.</summary>
    /// <param name="former">See <see cref="IRuntime.FormerAsync"/>.</param>
    /// <param name="used">Whether anybody else writes to a directory: what is in use is not filled.</param>
    /// <param name="fill">From a path inside to a directory that is made; false: there is nothing there.</param>
    /// <exception cref="McpException">volume.fill</exception>
    public async Task PrepareAsync(
        Label service,
        ComponentDefinition component,
        Func<string, CancellationToken, Task<FormerData?>> former,
        Func<string, CancellationToken, Task<bool>> used,
        Func<string, string, CancellationToken, Task<bool>> fill,
        CancellationToken ct)
    {
        foreach (var volume in component.Volumes.Where(v => v.IsNamed))
        {
            var directory = Root.Of(service, volume);
            var turn = _turns.GetOrAdd(directory, _ => new SemaphoreSlim(1, 1));
            await turn.WaitAsync(ct);
            try
            {
                Directory.CreateDirectory(Root.Path, OwnerOnly);
                Directory.CreateDirectory(Root.Of(service), OwnerOnly);
                if (volume.FromImage)
                    await TakeOverAsync(directory, await former(volume.Target, ct), ct);
                // Whoever only reads has nothing to put there: the writer's image may have.
                if (volume.Writable)
                    await FillAsync(directory, used, (to, token) => fill(volume.Target, to, token), ct);
                if (!Directory.Exists(directory))
                    Make(directory);
            }
            catch
            {
                RemoveEmpty(service);
                throw;
            }
            finally
            {
                turn.Release();
            }
        }
    }

    /// <summary>With its data, out of sight at once. The caller has made sure that nothing uses it.</summary>
    /// <exception cref="McpException">volume.in_use: something is mounted in it, and it is as it was; or it is out of sight, and not gone
    /// yet.</exception>
    public async Task RemoveAsync(Label service, string name)
    {
        var directory = Path.Combine(Root.Of(service), name);
        // The volume first: without it what was to be put there counts for nothing.
        var parts = (string[])[directory, Beside(directory, Whole), Beside(directory, Undone)];
        foreach (var part in parts)
            HostTrees.CheckMounts(part);
        foreach (var part in parts.Where(Directory.Exists))
        {
            await BusyAsync(directory, Gone, async gone =>
            {
                Directory.Move(part, gone);
                WholeFile.Settle(gone);
                await HostTrees.RemoveAsync(gone, CancellationToken.None);
            });
        }

        File.Delete(Beside(directory, From));
        RemoveEmpty(service);
    }

    private void RemoveEmpty(Label service)
    {
        try
        {
            Directory.Delete(Root.Of(service));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // It is not empty, or not there.
        }
    }

    // Links, too: they are removed as such.
    private IEnumerable<string> Left(Label service, string what) => Directory.EnumerateFileSystemEntries(Root.Of(service), $".*.{what}");

    // As long as the older instance is there it may have run again, after a deploy that was undone: its data are the newest then.
    private async Task TakeOverAsync(string directory, FormerData? former, CancellationToken ct)
    {
        var (mark, undone) = (Beside(directory, From), Beside(directory, Undone));
        var known = File.Exists(mark) ? await File.ReadAllLinesAsync(mark, ct) : [];
        // Of an instance that is gone it is done, and these are the data.
        if (known.Length > 0 && known[0] != former?.Of)
        {
            await HostTrees.RemoveAsync(undone, ct);
            File.Delete(mark);
            known = [];
        }

        var isThere = Directory.Exists(directory);
        if (former is null || (isThere && (known.Length == 0 || known[^1] == former.Ran)))
            return;
        await HostTrees.RemoveAsync(undone, ct);
        await BusyAsync(directory, Half, async half =>
        {
            await FileCopy.DirectoryAsync(former.Directory, half, ct);
            if (isThere)
                Directory.Move(directory, undone);
            WholeFile.Replace(mark, $"{former.Of}\n{former.Ran}");
            Directory.Move(half, directory);
            WholeFile.Settle(directory);
        });
    }

    private async Task FillAsync(
        string directory,
        Func<string, CancellationToken, Task<bool>> used,
        Func<string, CancellationToken, Task<bool>> fill,
        CancellationToken ct)
    {
        var whole = Beside(directory, Whole);
        // Of one that was removed meanwhile a part may be gone.
        if (!Directory.Exists(directory))
            await HostTrees.RemoveAsync(whole, ct);
        if (!Directory.Exists(whole))
        {
            await BusyAsync(directory, Half, async half =>
            {
                // Asked again when the copy is there: that may have taken long.
                if (await IsFreeAsync(directory, used, ct) && await fill(half, ct) && await IsFreeAsync(directory, used, ct))
                {
                    var place = Directory.Exists(directory) ? whole : directory;
                    Directory.Move(half, place);
                    WholeFile.Settle(place);
                }
            });
        }

        if (!Directory.Exists(whole))
            return;
        Put(whole, directory);
        WholeFile.Settle(directory);
        await HostTrees.RemoveAsync(whole, ct);
    }

    private static async Task<bool> IsFreeAsync(string directory, Func<string, CancellationToken, Task<bool>> used, CancellationToken ct) =>
        !Directory.Exists(directory) || (!Directory.EnumerateFileSystemEntries(directory).Any() && !await used(directory, ct));

    // Somebody may have it open, so it stays the directory that it is. What is there stays, too. From open directory to open directory:
    // whoever writes there as well cannot turn a name elsewhere.
    private static void Put(string whole, string directory)
    {
        using var from = Posix.DirectoryNoLink(whole);
        // Where an administrator made it a link, what that leads to.
        using var to = Posix.DirectoryNoLink(HostPaths.Real(directory));
        var names = Directory.EnumerateFileSystemEntries(whole).Select(e => Path.GetFileName(e)).ToList();
        foreach (var name in names)
        {
            if (Move(from, to, name) == 0 || Marshal.GetLastPInvokeError() == Errno.Exists)
                continue;
            var cause = new Win32Exception(Marshal.GetLastPInvokeError());
            throw new McpException(
                ErrorCode.VolumeFill,
                $"what the image has cannot be put into {directory}: {cause.Message}",
                cause.NativeErrorCode == Errno.OtherDevice
                    ? $"it is on a file system of its own: copy the files from {whole} there, then remove {whole}"
                    : "what does the file system say? dmesg may tell",
                cause);
        }

        Posix.CopyAttributes(from, to);
        if (names.Count > 0)
            WholeFile.Settle(Path.Combine(directory, names[0]));
    }

    private static int Move(SafeFileHandle from, SafeFileHandle to, string name)
    {
        var moved = Posix.RenameNewAt(from, name, to, name);
        if (moved == 0 || Marshal.GetLastPInvokeError() != Errno.Invalid)
            return moved;
        // A file system that cannot say "unless it is there".
        using var there = Posix.OpenAt(to, name, OpenFlags.PathOnly);
        if (!there.IsInvalid)
            return 0;
        return Marshal.GetLastPInvokeError() == Errno.Missing ? Posix.RenameAt(from, name, to, name) : -1;
    }

    // By a name that nobody else has: a program that outlived an agent may still write to another one. What fails leaves nothing that takes
    // room, or it is removed later.
    private async Task BusyAsync(string directory, string what, Func<string, Task> work)
    {
        var path = Beside(directory, $"{Guid.NewGuid():N}.{what}");
        _busy[Path.GetFileName(path)] = true;
        try
        {
            await work(path);
        }
        finally
        {
            try
            {
                await HostTrees.RemoveAsync(path, CancellationToken.None);
            }
            catch (McpException)
            {
                // SweepAsync tells.
            }

            _busy.TryRemove(Path.GetFileName(path), out _);
        }
    }

    private static void Make(string directory)
    {
        Directory.CreateDirectory(directory);
        File.SetUnixFileMode(directory, Usual);
    }

    private static string Beside(string directory, string what) =>
        Path.Combine(Path.GetDirectoryName(directory)!, $".{Path.GetFileName(directory)}.{what}");
}
