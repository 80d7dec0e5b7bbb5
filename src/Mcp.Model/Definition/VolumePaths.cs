namespace Mcp.Model.Definition;

/// <summary>Which host paths are one: a directory holds everything below it.</summary>
public static class VolumePaths
{
    /// <summary>Without doubled and trailing slashes and without '.'; links are not resolved here.</summary>
    public static string Normal(string path) =>
        "/" + string.Join('/', path.Split('/', StringSplitOptions.RemoveEmptyEntries).Where(part => part != "."));

    /// <summary>One is the other, or lies below it.</summary>
    public static bool Overlap(string one, string other)
    {
        var (a, b) = (Below(one), Below(other));
        return a.StartsWith(b, StringComparison.Ordinal) || b.StartsWith(a, StringComparison.Ordinal);
    }

    private static string Below(string path) => Normal(path) is var normal && normal == "/" ? normal : normal + "/";
}
