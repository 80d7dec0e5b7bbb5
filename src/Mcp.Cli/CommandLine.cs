using System.CommandLine;
using Mcp.Cli.Commands;
using Mcp.Usage;

namespace Mcp.Cli;

/// <summary>All commands.</summary>
internal static class CommandLine
{
    public static RootCommand Build() => CommandLines.Program(
        "mcp",
        "mcp runs your services on your own machines.",
        [
            ("Change", [.. DeployCommands.All(), .. LifecycleCommands.Changes(), ServiceCommands.Create()]),
            ("Look", [.. StatusCommands.All(), WatchCommand.Create(), LogsCommand.Create(), EventsCommand.Create()]),
            ("Repair", [.. LifecycleCommands.Repairs()]),
            ("Files, volumes, images", [.. FileCommands.All(), VolumeCommands.Create(), ImageCommands.Create()]),
            ("Fleet", [NodeCommands.Create(), DnsCommands.Create(), .. RouteCommands.All()]),
            ("You", [.. LoginCommands.All(), LocalCommands.Completion()]),
        ],
        Examples.All);
}
