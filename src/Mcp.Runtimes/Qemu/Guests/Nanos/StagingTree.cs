using Mcp.Model.Definition;
using Mcp.Runtimes.Images;

namespace Mcp.Runtimes.Qemu.Guests.Nanos;

/// <summary>A directory that mirrors the guest's paths: the image's files, and over them the volumes as they are now. ops bakes it in.</summary>
internal static class StagingTree
{
    // The kernel's own.
    private static readonly string[] s_not = ["dev", "proc", "sys"];

    /// <returns>Names at the top of the tree: files and directories.</returns>
    public static (IReadOnlyList<string> Files, IReadOnlyList<string> Directories) Make(string staging, StoredImage image, IReadOnlyList<VolumeMount> volumes)
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
            Copy(Directory.Exists(volume.Source) ? new DirectoryInfo(volume.Source) : new FileInfo(volume.Source), target, share: false);
        }

        var tops = new DirectoryInfo(staging).EnumerateFileSystemInfos().ToList();
        return ([.. tops.Where(t => t is FileInfo).Select(t => t.Name).Order(StringComparer.Ordinal)], [.. tops.Where(t => t is DirectoryInfo).Select(t => t.Name).Order(StringComparer.Ordinal)]);
    }

    /// <summary>What a tree is, without reading its files: names, sizes, times.</summary>
    public static IEnumerable<string> Fingerprint(IReadOnlyList<VolumeMount> volumes) => volumes.SelectMany(v =>
        (Directory.Exists(v.Source) ? new DirectoryInfo(v.Source).EnumerateFileSystemInfos("*", new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = 0 }) : [new FileInfo(v.Source)])
        .Select(f => $"{v.Target} {f.FullName} {(f as FileInfo)?.Length} {f.LastWriteTimeUtc:O}").Order(StringComparer.Ordinal));

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
}
