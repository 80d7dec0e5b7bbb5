using Mcp.Model.Definition.Keys;

namespace Mcp.Daemon.Settings;

/// <summary>Paths in agent.toml and master.toml.</summary>
internal static class PathKinds
{
    /// <summary>Of a file or directory: absolute once it was read.</summary>
    public static readonly TextKind<string> Any = new("a path", TryParse, path => path);

    private static bool TryParse(string text, out string path)
    {
        var isPath = text.Length > 0 && !text.Any(char.IsControl);
        path = isPath ? Path.GetFullPath(text) : text;
        return isPath;
    }
}
