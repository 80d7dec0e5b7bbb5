using System.CommandLine;
using System.CommandLine.Invocation;
using Mcp.Cli.Commands;

namespace Mcp.Cli;

/// <summary>All commands.</summary>
internal static class CommandLine
{
    public static RootCommand Build()
    {
        var root = new RootCommand("mcp runs your services on your own machines.");
        foreach (var command in (IEnumerable<Command>)
        [
            .. DeployCommands.All(), .. LifecycleCommands.All(), .. StatusCommands.All(), WatchCommand.Create(), NodeCommands.Create(), DnsCommands.Create(), .. RouteCommands.All(), LogsCommand.Create(), EventsCommand.Create(), .. FileCommands.All(), ServiceCommands.Create(), .. LoginCommands.All(), .. LocalCommands.All(),
        ])
            root.Add(command);
        return root;
    }

    /// <summary>Parses and runs; a bad command line is two lines and exit code 2, not a page of help.</summary>
    public static async Task<int> RunAsync(this ParseResult parsed)
    {
        if (parsed.Action is ParseErrorAction)
        {
            await Console.Error.WriteLineAsync($"mcp: {string.Join("; ", parsed.Errors.Select(e => e.Message))}");
            await Console.Error.WriteLineAsync("  -> mcp --help, or mcp COMMAND --help");
            return 2;
        }

        return await parsed.InvokeAsync();
    }
}
