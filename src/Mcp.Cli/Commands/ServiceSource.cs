using Mcp.Cli.Connection;
using Mcp.Model.Definition;
using Mcp.Model.Errors;
using Mcp.Model.Names;

namespace Mcp.Cli.Commands;

/// <summary>Finds a service file: a path, or a name in $MCP_HOME/services; with /component behind it for one component.</summary>
internal static class ServiceSource
{
    public static (string File, string Text, ServiceDefinition Definition, string Component) Read(string target)
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

    private static (string File, string Text, ServiceDefinition Definition, string Component) Read(string file, string component)
    {
        if (new FileInfo(file).Length > ServiceFile.MaxBytes)
            throw new ServiceFileException(file, [new Problem(1, 1, "the file is too large", "", "at most 1 MiB")]);
        var text = File.ReadAllText(file);
        return (file, text, ServiceFile.Parse(text, file), component);
    }
}
