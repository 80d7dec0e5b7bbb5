using System.Text.RegularExpressions;
using Mcp.Cli.Connection;
using Mcp.Cli.Output;
using Mcp.Model.Definition;
using Mcp.Model.Errors;
using Mcp.Model.Names;

namespace Mcp.Cli.Commands;

/// <param name="File">For people.</param>
/// <param name="Component">Only this one; empty: all.</param>
internal sealed record WantedService(string File, string Text, ServiceDefinition Definition, string Component);

/// <summary>Finds service files: a path, a directory of them, - for standard input, or a name in $MCP_HOME/services; a file or a name with
/// /component behind it for one component.</summary>
internal static partial class ServiceSource
{
    private const string StandardInput = "-";

    /// <summary>All of them are read and right before any is used.</summary>
    /// <param name="targets">None: the only service file of the working directory.</param>
    /// <exception cref="McpException">definition.invalid, file.missing, usage</exception>
    public static async Task<IReadOnlyList<WantedService>> ReadAllAsync(IReadOnlyList<string> targets, CancellationToken ct)
    {
        var files = targets.Count == 0 ? [Only()] : targets.SelectMany(t => Directory.Exists(t) ? In(t) : [t]).ToList();
        var (found, wrong) = (new List<WantedService>(), new List<string>());
        foreach (var file in files)
        {
            try
            {
                found.Add(file == StandardInput ? await ReadInputAsync(ct) : Read(file));
            }
            catch (Exception e) when (files.Count > 1 && e is ServiceFileException or McpException)
            {
                wrong.Add(e.Message);
            }
        }

        if (wrong.Count > 0)
            throw new McpException(ErrorCode.DefinitionInvalid, string.Join('\n', wrong), "correct these files; nothing was done");
        var twice = found.GroupBy(f => f.Definition.Name).FirstOrDefault(g => g.Count() > 1);
        return twice is null
            ? found
            : throw new McpException(
                ErrorCode.Usage,
                $"the service {twice.Key} is in several of these files: {string.Join(", ", twice.Select(t => t.File))}",
                "give one of them");
    }

    public static WantedService Read(string target)
    {
        if (File.Exists(target))
            return Read(target, "");
        if (Directory.Exists(target))
            throw new McpException(ErrorCode.FileMissing, $"'{target}' is a directory", "name the service file in it");
        var slash = target.LastIndexOf('/');
        if (slash > 0 && File.Exists(target[..slash]))
            return Read(target[..slash], Label.Parse(target[(slash + 1)..]).Text);
        var name = slash < 0 ? target : target[..slash];
        var kept = Path.Combine(Login.Home, "services", name + ".toml");
        return Label.TryParse(name, out _) && File.Exists(kept)
            ? Read(kept, slash < 0 ? "" : Label.Parse(target[(slash + 1)..]).Text)
            : throw new McpException(
                ErrorCode.FileMissing,
                $"there is no service file '{target}'",
                $"give a path, or put NAME.toml in {Path.Combine(Login.Home, "services")}");
    }

    private static string Only() => Found(".") switch
    {
        [var one] => one,
        [] => throw new McpException(
            ErrorCode.FileMissing,
            "there is no service file in this directory",
            "give one: a path, a directory, - for standard input, or the name of one in $MCP_HOME/services"),
        var several => throw new McpException(
            ErrorCode.Usage,
            $"this directory has several service files: {string.Join(", ", several)}",
            "give one of them, or . for all"),
    };

    private static List<string> In(string directory) => Found(directory) is { Count: > 0 } files
        ? files
        : throw new McpException(
            ErrorCode.FileMissing,
            $"there is no service file in '{directory}'",
            "a service file is *.toml with [[components]]");

    // Other programs have files of this kind, too.
    private static List<string> Found(string directory) =>
    [
        .. Directory.EnumerateFiles(directory, "*.toml")
            .Where(f => new FileInfo(f).Length > ServiceFile.MaxBytes || Components().IsMatch(File.ReadAllText(f)))
            .Select(f => directory == "." ? Path.GetFileName(f) : f)
            .Order(StringComparer.Ordinal),
    ];

    private static async Task<WantedService> ReadInputAsync(CancellationToken ct)
    {
        await using var input = Terminal.OpenInput();
        var buffer = new byte[ServiceFile.MaxBytes + 1];
        var length = 0;
        // One read may give less than there is.
        while (length < buffer.Length && await input.ReadAsync(buffer.AsMemory(length), ct).AsTask().WaitAsync(ct) is var read and > 0)
            length += read;
        return Parsed("standard input", System.Text.Encoding.UTF8.GetString(buffer, 0, length), length, "");
    }

    private static WantedService Read(string file, string component)
    {
        var length = new FileInfo(file).Length;
        return Parsed(file, length > ServiceFile.MaxBytes ? "" : File.ReadAllText(file), length, component);
    }

    private static WantedService Parsed(string file, string text, long length, string component) => length > ServiceFile.MaxBytes
        ? throw new ServiceFileException(file, [new Problem(1, 1, "the file is too large", "", "at most 1 MiB")])
        : new WantedService(file, text, ServiceFile.Parse(text, file), component);

    [GeneratedRegex(@"^\s*(\[\[\s*""?components""?\s*\]\]|""?components""?\s*=)", RegexOptions.Multiline)]
    private static partial Regex Components();
}
