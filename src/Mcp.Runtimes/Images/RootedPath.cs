namespace Mcp.Runtimes.Images;

/// <summary>Paths inside an image's tree: its links are followed as if the tree were the root, and nothing leads out of it.
/// The tree belongs to this process alone, so what was looked at stays as it is.</summary>
internal static class RootedPath
{
    private const int MaxLinks = 40;

    /// <summary>Where the path lies on this machine, all links of its parents followed, and its own too if asked.</summary>
    /// <exception cref="IOException">Too many links.</exception>
    public static string Resolve(string root, string path, bool followLast)
    {
        var left = new Stack<string>(Parts(path).Reverse());
        var at = new List<string>();
        for (var links = 0; left.Count > 0;)
        {
            var part = left.Pop();
            if (part == "..")
            {
                if (at.Count > 0)
                    at.RemoveAt(at.Count - 1);
                continue;
            }

            var here = Path.Combine([root, .. at, part]);
            if ((left.Count > 0 || followLast) && new FileInfo(here).LinkTarget is { } target)
            {
                if (++links > MaxLinks)
                    throw new IOException($"too many links in {path}");
                if (target.StartsWith('/'))
                    at.Clear();
                foreach (var next in Parts(target).Reverse())
                    left.Push(next);
                continue;
            }

            at.Add(part);
        }

        return Path.Combine([root, .. at]);
    }

    private static IEnumerable<string> Parts(string path) => path.Split('/').Where(p => p is not ("" or "."));
}
