using System.CommandLine;
using System.Reflection;
using Mcp.Usage;

namespace Mcp.Daemon.Lifecycle;

/// <summary>What the command lines of both daemons have in common.</summary>
public static class DaemonCommands
{
    public static Option<string> State() => Values.Text("--state", "its directory, made where there is none", "DIR", required: true);

    public static Option<string> Listen(string means, bool required) => Values.Text("--listen", means, "ADDRESS:PORT", required);

    public static Option<string> Config(string file) => Values.Text("--config", $"the {file} that init wrote", "FILE", required: true);

    public static Option<string> Name() => Values.Text("--name", "what it is called (default: as this machine)", "NAME");

    /// <summary>Of --name, where it is not given.</summary>
    public static string ThisMachine => Environment.MachineName.Split('.')[0].ToLowerInvariant();

    public static Command Version(Assembly program)
    {
        var version = new Command("version", "Print the version");
        version.SetAction(called => called.InvocationConfiguration.Output.WriteLine(program.GetName().Version?.ToString(3)));
        return version;
    }
}
