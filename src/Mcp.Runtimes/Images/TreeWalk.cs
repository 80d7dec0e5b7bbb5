using System.IO.Enumeration;

namespace Mcp.Runtimes.Images;

/// <summary>Everything in a tree, and only in it: links are listed and not followed, as those of an image lead anywhere, and in
/// circles.</summary>
internal static class TreeWalk
{
    private static readonly EnumerationOptions s_all = new()
    {
        RecurseSubdirectories = true,
        AttributesToSkip = 0,
        IgnoreInaccessible = false,
    };

    public static IEnumerable<FileSystemInfo> Of(string root) =>
        new FileSystemEnumerable<FileSystemInfo>(root, (ref entry) => entry.ToFileSystemInfo(), s_all)
        {
            ShouldRecursePredicate = (ref entry) => !entry.Attributes.HasFlag(FileAttributes.ReparsePoint),
        };
}
