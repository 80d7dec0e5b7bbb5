using Mcp.Machine;
using Mcp.Model.Definition;
using Mcp.Runtimes.Images;

namespace Mcp.Runtimes.Qemu.Guests.Nanos;

/// <param name="Files">Plain files at the top of the tree.</param>
/// <param name="Directories">Directories there, and links, which ops takes for links only so.</param>
/// <param name="Bytes">Of all its files.</param>
internal sealed record StagedTree(IReadOnlyList<string> Files, IReadOnlyList<string> Directories, long Bytes)
{
    public static StagedTree Unknown { get; } = new([], [], 0);
}

/// <summary>A directory that mirrors the guest's paths: the image's files, and over them the volumes as they are now. ops bakes it
/// in.</summary>
internal static class StagingTree
{
    private const long BlockBytes = 4096;
    // The kernel's own.
    private static readonly string[] s_not = ["dev", "proc", "sys"];

    public static StagedTree Make(string staging, StoredImage image, IReadOnlyList<VolumeMount> volumes)
    {
        Directory.CreateDirectory(staging);
        foreach (var top in new DirectoryInfo(image.Root).EnumerateFileSystemInfos().Where(t => !s_not.Contains(t.Name)))
            Copy(top, Path.Combine(staging, top.Name), share: true);
        foreach (var volume in volumes)
        {
            var target = RootedPath.Resolve(staging, volume.Target, followLast: true);
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            if (Directory.Exists(target))
                Directory.Delete(target, recursive: true);
            else
                File.Delete(target);
            Copy(Directory.Exists(volume.Source) ? new DirectoryInfo(volume.Source) : new FileInfo(volume.Source), target, share: false);
        }

        Directory.CreateDirectory(RootedPath.Resolve(staging, image.WorkingDir, followLast: true));
        KeepLinksInside(staging);
        var tops = new DirectoryInfo(staging).EnumerateFileSystemInfos().OrderBy(t => t.Name, StringComparer.Ordinal).ToList();
        return new StagedTree(
            [.. tops.Where(IsFile).Select(t => t.Name)],
            [.. tops.Where(t => !IsFile(t)).Select(t => t.Name)],
            TreeWalk.Of(staging).Sum(f => f is FileInfo { LinkTarget: null } file ? file.Length + BlockBytes : BlockBytes));

        static bool IsFile(FileSystemInfo top) => top is FileInfo { LinkTarget: null };
    }

    /// <summary>What a tree is, without reading its files: names, sizes, times.</summary>
    public static IEnumerable<string> Fingerprint(IReadOnlyList<VolumeMount> volumes) => volumes.SelectMany(v =>
        (Directory.Exists(v.Source) ? TreeWalk.Of(v.Source) : [new FileInfo(v.Source)])
        .Select(f => $"{v.Target} {f.FullName} {(f as FileInfo)?.Length} {f.LastWriteTimeUtc:O}").Order(StringComparer.Ordinal));

    // ops follows links on this machine to see whether they lead anywhere, and drops those that do not: all of them are made to lead to
    // where they do in the guest.
    private static void KeepLinksInside(string staging)
    {
        foreach (var link in TreeWalk.Of(staging).Where(f => f.LinkTarget is { } leads && MayLeaveIt(leads)).ToList())
        {
            var (directory, to) = (Path.GetDirectoryName(link.FullName)!, link.LinkTarget!);
            link.Delete();
            try
            {
                var target = RootedPath.Resolve(
                    staging, to.StartsWith('/') ? to : $"{directory[staging.Length..]}/{to}", followLast: false);
                File.CreateSymbolicLink(link.FullName, Path.GetRelativePath(directory, target));
            }
            catch (IOException) when (!Path.Exists(link.FullName))
            {
                // A circle: it leads nowhere, and nobody misses it.
            }
        }
    }

    private static void Copy(FileSystemInfo from, string to, bool share)
    {
        if (from.LinkTarget is { } target)
        {
            File.CreateSymbolicLink(to, target);
        }
        else if (from is DirectoryInfo directory)
        {
            Directory.CreateDirectory(to);
            foreach (var below in directory.EnumerateFileSystemInfos())
                Copy(below, Path.Combine(to, below.Name), share);
        }
        else if (share)
        {
            Posix.Link(from.FullName, to);
        }
        else
        {
            File.Copy(from.FullName, to);
        }
    }

    private static bool MayLeaveIt(string link) => link.StartsWith('/') || link.Split('/').Contains("..");
}
