using System.Collections.Concurrent;
using Mcp.Machine;
using Mcp.Model.Definition;
using Mcp.Model.Names;
using Mcp.Runtimes;

namespace Mcp.Agent.Volumes;

/// <summary>The services' own volumes: STATE/volumes/SERVICE/NAME. Beside each, by names that no volume can have: NAME.fill, which is being
/// made, NAME.full, which is whole and is put into its place, NAME.gone, which is being removed, NAME.from, which says of which instance's
/// data it is a copy, NAME.undone, what a deploy wrote into such a copy that was undone then; each begins with a dot.</summary>
public sealed class NamedVolumes
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

    private readonly ConcurrentDictionary<string, SemaphoreSlim> _turns = new();

    /// <summary>Removes what a kill has left half made or half removed.</summary>
    public NamedVolumes(VolumeRoot root)
    {
        Root = root;
        foreach (var left in Services().SelectMany(s => ((string[])[Half, Gone]).SelectMany(w => Left(s, w))).ToList())
            Directory.Delete(left, recursive: true);
    }

    public VolumeRoot Root { get; }

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
    /// <param name="fill">From a path inside to a directory that is made; false: there is nothing there.</param>
    /// <exception cref="Mcp.Model.Errors.McpException">volume.fill</exception>
    public async Task PrepareAsync(
        Label service,
        ComponentDefinition component,
        Func<string, CancellationToken, Task<FormerData?>> former,
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
                    await FillAsync(directory, (to, token) => fill(volume.Target, to, token), ct);
                if (!Directory.Exists(directory))
                    Make(directory);
            }
            finally
            {
                turn.Release();
            }
        }
    }

    /// <summary>With its data, out of sight at once. The caller has made sure that nothing uses it.</summary>
    public void Remove(Label service, string name)
    {
        var directory = Path.Combine(Root.Of(service), name);
        foreach (var part in (string[])[directory, Beside(directory, Whole)])
        {
            if (!Directory.Exists(part))
                continue;
            var gone = Beside(directory, Gone);
            Clear(gone);
            Directory.Move(part, gone);
            WholeFile.Settle(gone);
            Directory.Delete(gone, recursive: true);
        }

        Clear(Beside(directory, Undone));
        File.Delete(Beside(directory, From));
        if (!Directory.EnumerateFileSystemEntries(Root.Of(service)).Any())
            Directory.Delete(Root.Of(service));
    }

    private IEnumerable<string> Left(Label service, string what) => Directory.EnumerateDirectories(Root.Of(service), $".*.{what}");

    // As long as the older instance is there it may have run again, after a deploy that was undone: its data are the newest then.
    private static async Task TakeOverAsync(string directory, FormerData? former, CancellationToken ct)
    {
        var (mark, undone) = (Beside(directory, From), Beside(directory, Undone));
        var known = File.Exists(mark) ? await File.ReadAllLinesAsync(mark, ct) : [];
        // Of an instance that is gone it is done, and these are the data.
        if (known.Length > 0 && known[0] != former?.Of)
        {
            Clear(undone);
            File.Delete(mark);
            known = [];
        }

        var isThere = Directory.Exists(directory);
        if (former is null || (isThere && (known.Length == 0 || known[^1] == former.Ran)))
            return;
        Clear(undone);
        var half = Beside(directory, Half);
        await WholeAsync(half, async () =>
        {
            await FileCopy.DirectoryAsync(former.Directory, half, ct);
            return true;
        });
        if (isThere)
            Directory.Move(directory, undone);
        WholeFile.Replace(mark, $"{former.Of}\n{former.Ran}");
        Directory.Move(half, directory);
        WholeFile.Settle(directory);
    }

    // What fails leaves nothing that takes room.
    private static async Task<bool> WholeAsync(string half, Func<Task<bool>> make)
    {
        Clear(half);
        try
        {
            return await make();
        }
        catch
        {
            Clear(half);
            throw;
        }
    }

    private static void Clear(string directory)
    {
        if (Directory.Exists(directory))
            Directory.Delete(directory, recursive: true);
    }

    private static async Task FillAsync(string directory, Func<string, CancellationToken, Task<bool>> fill, CancellationToken ct)
    {
        var (half, whole) = (Beside(directory, Half), Beside(directory, Whole));
        if (!Directory.Exists(whole))
        {
            if (Directory.Exists(directory) && Directory.EnumerateFileSystemEntries(directory).Any())
                return;
            if (!await WholeAsync(half, () => fill(half, ct)))
                return;
            Directory.Move(half, whole);
        }

        if (Directory.Exists(directory))
        {
            // Somebody may have it open, so it stays the directory that it is. What is there stays, too.
            foreach (var entry in new DirectoryInfo(whole).EnumerateFileSystemInfos())
                Move(entry, Path.Combine(directory, entry.Name));
            await FileCopy.AttributesAsync(whole, directory, ct);
            Directory.Delete(whole, recursive: true);
        }
        else
        {
            Directory.Move(whole, directory);
        }

        WholeFile.Settle(directory);
    }

    private static void Move(FileSystemInfo entry, string to)
    {
        if (Path.Exists(to) || new FileInfo(to).LinkTarget is not null)
            return;
        if (entry is DirectoryInfo { LinkTarget: null })
            Directory.Move(entry.FullName, to);
        else
            File.Move(entry.FullName, to);
    }

    private static void Make(string directory)
    {
        Directory.CreateDirectory(directory);
        File.SetUnixFileMode(directory, Usual);
    }

    private static string Beside(string directory, string what) =>
        Path.Combine(Path.GetDirectoryName(directory)!, $".{Path.GetFileName(directory)}.{what}");
}
