using System.Text.RegularExpressions;
using Mcp.Machine;

namespace Mcp.Runtimes.Podman;

/// <summary>The configuration of the podman service that the agent starts: what podman reads anyway, and that what is left of a program run
/// inside a container goes after seconds. podman keeps two processes of each for five minutes, and health checks run one again and again.
/// https://github.com/containers/common, docs/containers.conf.5.md.</summary>
internal static partial class PodmanConf
{
    private const string Variable = "CONTAINERS_CONF";
    private const string Key = "exit_command_delay";
    private const string Setting = $"{Key} = 10";
    private static readonly string[] s_files = ["/usr/share/containers/containers.conf", "/etc/containers/containers.conf"];
    private static readonly string[] s_directories = ["/usr/share/containers/containers.conf.d", "/etc/containers/containers.conf.d"];

    /// <returns>Variables for its environment.</returns>
    /// <param name="asked">The only file that is read, as the node's owner says; null: podman's usual ones.</param>
    /// <param name="directory">Where the files may be written.</param>
    public static IReadOnlyDictionary<string, string> Write(string? asked, string directory)
    {
        var variables = new Dictionary<string, string>();
        var only = asked ?? Environment.GetEnvironmentVariable(Variable);
        if (only is not null)
            variables[Variable] = only;
        try
        {
            return Written(variables, only, directory);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The disk is full: podman starts all the same.
            return variables;
        }
    }

    private static Dictionary<string, string> Written(Dictionary<string, string> before, string? only, string directory)
    {
        var variables = new Dictionary<string, string>(before);
        var sources = (only is not null ? [only] : Usual()).Where(f => File.Exists(f) && Says(f)).ToList();
        if (sources.Any(f => File.ReadLines(f).Any(l => KeyLine().IsMatch(l))))
            return variables;
        // From podman 4.4 on.
        variables["CONTAINERS_CONF_OVERRIDE"] = Place(Path.Combine(directory, "podman.override.conf"), $"[engine]\n{Setting}\n");
        // Before that one file is all that is read: it can stand for one, and not for several.
        var text = sources.Count == 0 ? "" : File.ReadAllText(sources[0]);
        if (sources.Count <= 1)
            variables[Variable] = Place(Path.Combine(directory, "podman.conf"), With(text));
        return variables;
    }

    /// <summary>The text with the setting in its table.</summary>
    internal static string With(string text)
    {
        var table = EngineLine().Match(text);
        return table.Success
            ? $"{text[..(table.Index + table.Length)]}\n{Setting}{text[(table.Index + table.Length)..]}"
            : $"{text.TrimEnd()}\n[engine]\n{Setting}\n".TrimStart();
    }

    private static IEnumerable<string> Usual() => s_files.Concat(s_directories
        .Where(Directory.Exists)
        .SelectMany(d => Directory.EnumerateFiles(d, "*.conf").Order(StringComparer.Ordinal)));

    private static bool Says(string file) => File.ReadLines(file).Any(l => l.Trim() is { Length: > 0 } line && line[0] != '#');

    private static string Place(string file, string text)
    {
        WholeFile.Replace(file, text);
        return file;
    }

    [GeneratedRegex(@"^\s*exit_command_delay\s*=")]
    private static partial Regex KeyLine();

    [GeneratedRegex(@"^\s*\[engine\][ \t]*(#[^\n]*)?$", RegexOptions.Multiline)]
    private static partial Regex EngineLine();
}
