using System.CommandLine;
using Mcp.Cli.Output;
using Mcp.Protocol.V1;

namespace Mcp.Cli.Commands;

/// <summary>dns list.</summary>
internal static class DnsCommands
{
    public static Command Create() => new("dns", "The names of services in the internal zone")
    {
        AgentCommand.Create("list", "All names, and whether they are in DNS as they should be", [], async (_, agent, printer, ct) =>
        {
            var reply = await agent.Nodes.ListNamesAsync(new ListNamesRequest(), agent.Call(AgentCommand.Quick, ct));
            printer.Show(
                reply,
                new Table(["NAME", "ADDRESS", "STATE"], reply.Names.Select(n => new Cell[] { n.Name, n.Address, n.State })),
                reply.Provider == "none"
                    ? "no DNS: provider = \"none\" in [dns] of master.toml"
                    : $"no names in {reply.Zone} ({reply.Provider})");
            return reply.Names.All(n => n.State == "ok") ? 0 : 1;
        }),
    };
}
