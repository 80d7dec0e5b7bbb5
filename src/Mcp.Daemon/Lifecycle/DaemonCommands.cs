using System.CommandLine;
using System.Net;
using Mcp.Model.Names;
using Mcp.Usage;

namespace Mcp.Daemon.Lifecycle;

/// <summary>What the command lines of both daemons have in common.</summary>
public static class DaemonCommands
{
    public static Option<string> State() => Values.Text("--state", "its directory, made where there is none", "DIR", required: true);

    public static Option<string> Listen(string means, bool required)
    {
        var listen = Values.Text("--listen", means, "ADDRESS:PORT", required);
        listen.Check(text => IPEndPoint.TryParse(text, out var endpoint) && endpoint.Port > 0
            ? null
            : $"--listen must be an address with a port, such as 127.0.0.1:7443, not '{Label.Clip(text)}'");
        return listen;
    }

    public static Option<string> Config(string file)
    {
        var config = Values.Text("--config", $"the {file} that init wrote", "FILE", required: true);
        config.Check(text => File.Exists(text)
            ? null
            : Directory.Exists(text)
                ? $"--config is a file, and '{text}' is a directory"
                : $"there is no configuration {text}; mcp-{Path.GetFileNameWithoutExtension(file)} init makes one");
        return config;
    }

    public static Option<string> Name() => Values.Text("--name", "what it is called (default: as this machine)", "NAME");

    /// <summary>Of --name, where it is not given.</summary>
    public static string ThisMachine => Environment.MachineName.Split('.')[0].ToLowerInvariant();
}
