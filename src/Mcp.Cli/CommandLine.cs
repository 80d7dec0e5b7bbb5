using System.CommandLine;
using Mcp.Cli.Commands;
using Mcp.Usage;

namespace Mcp.Cli;

/// <summary>All commands.</summary>
internal static class CommandLine
{
    public static RootCommand Build() => CommandLines.Program("mcp", "mcp runs your services on your own machines.",
    [
        .. DeployCommands.All(),
        .. LifecycleCommands.All(),
        .. StatusCommands.All(),
        WatchCommand.Create(),
        NodeCommands.Create(),
        DnsCommands.Create(),
        .. RouteCommands.All(),
        LogsCommand.Create(),
        EventsCommand.Create(),
        .. FileCommands.All(),
        VolumeCommands.Create(),
        ImageCommands.Create(),
        ServiceCommands.Create(),
        .. LoginCommands.All(),
        .. LocalCommands.All(),
    ]);
}
