using System.Globalization;
using Mcp.Model.Definition;

namespace Mcp.Agent.Volumes;

/// <summary>Which directories of this host are the same ones, by whatever names: links are followed, and a bind mount is the directory that
/// it shows.</summary>
public static class HostPaths
{
    private const int MostLinks = 40;

    /// <summary>One is the other, or lies below it.</summary>
    public static bool Overlap(string one, string other)
    {
        var (a, b) = (Real(one), Real(other));
        if (VolumePaths.Overlap(a, b))
            return true;
        var mounts = Mounts();
        var shown = Shown(b, mounts);
        return Shown(a, mounts).Any(x => shown.Any(y => x.Device == y.Device
            && x.Device.Length > 0
            && VolumePaths.Overlap(x.Path, y.Path)));
    }

    /// <summary>Where something is mounted: on this path, which is not followed if it is a link, or anywhere below it; the deepest
    /// first.</summary>
    /// <exception cref="IOException">The kernel does not tell.</exception>
    public static IReadOnlyList<string> MountedIn(string path)
    {
        var real = $"{Real(Path.GetDirectoryName(path)!).TrimEnd('/')}/{Path.GetFileName(path)}";
        return [.. Told().Select(m => m.Point)
            .Where(p => p == real || p.StartsWith(real + "/", StringComparison.Ordinal))
            .Distinct()
            .OrderByDescending(p => p.Length)];
    }

    // What is seen there: the directory, and whatever is mounted below it.
    private static List<(string Device, string Path)> Shown(string path, List<(string Device, string Root, string Point)> mounts)
    {
        var below = path == "/" ? path : path + "/";
        return [
            Identity(path, mounts),
            .. mounts.Where(m => m.Point.StartsWith(below, StringComparison.Ordinal)).Select(m => (m.Device, m.Root)),
        ];
    }

    /// <summary>With every link on the way followed; what is not there stays as it is written.</summary>
    public static string Real(string path)
    {
        var left = new Stack<string>(VolumePaths.Normal(path).Split('/', StringSplitOptions.RemoveEmptyEntries).Reverse());
        var real = "";
        for (var links = 0; left.TryPop(out var part);)
        {
            if (part == "..")
            {
                real = real.Length == 0 ? "" : real[..real.LastIndexOf('/')];
                continue;
            }

            var next = $"{real}/{part}";
            if (links < MostLinks && Target(next) is { } target)
            {
                links++;
                real = target.StartsWith('/') ? "" : real;
                foreach (var piece in target.Split('/', StringSplitOptions.RemoveEmptyEntries).Where(p => p != ".").Reverse())
                    left.Push(piece);
            }
            else
            {
                real = next;
            }
        }

        return real.Length == 0 ? "/" : real;
    }

    private static string? Target(string path)
    {
        try
        {
            return new FileInfo(path).LinkTarget;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    // The file system's number and the path within it.
    private static (string Device, string Path) Identity(string path, List<(string Device, string Root, string Point)> mounts)
    {
        var at = mounts.Where(m => VolumePaths.Normal(path) is var p
            && (m.Point == "/" || p == m.Point || p.StartsWith(m.Point + "/", StringComparison.Ordinal)))
            .DefaultIfEmpty(("", "", "/")).MaxBy(m => m.Item3.Length);
        var below = at.Item3 == "/" ? path : path[at.Item3.Length..];
        return (at.Item1, VolumePaths.Normal($"{at.Item2}/{below}"));
    }

    private static List<(string Device, string Root, string Point)> Mounts()
    {
        try
        {
            return Told();
        }
        catch (IOException)
        {
            return [];
        }
    }

    // proc(5): 36 35 98:0 /root /mount/point rw,noatime ... with spaces and the like as \040. The last mount on a point is the one that is
    // seen.
    private static List<(string Device, string Root, string Point)> Told() =>
        [.. File.ReadLines("/proc/self/mountinfo")
            .Select(l => l.Split(' '))
            .Where(p => p.Length > 5)
            .Select(p => (p[2], Plain(p[3]), Plain(p[4])))
            .Reverse()];

    private static string Plain(string text)
    {
        for (var at = text.IndexOf('\\', StringComparison.Ordinal); at >= 0 && at + 4 <= text.Length; at = text.IndexOf('\\', at + 1))
        {
            var code = Convert.ToInt32(text.Substring(at + 1, 3), 8);
            text = string.Create(CultureInfo.InvariantCulture, $"{text[..at]}{(char)code}{text[(at + 4)..]}");
        }

        return text;
    }
}
