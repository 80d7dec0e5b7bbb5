using System.CommandLine;
using System.Globalization;
using Google.Protobuf.WellKnownTypes;
using Mcp.Protocol.V1;

namespace Mcp.Cli.Commands;

/// <summary>edge list, route list.</summary>
internal static class RouteCommands
{
    public static IEnumerable<Command> All()
    {
        yield return new Command("edge", "The public hostnames on the edge nodes")
        {
            AgentCommand.Create(
                "list", "Each public hostname: its edge node, where its requests go, its certificate", [], async (_, agent, printer, ct) =>
            {
                var reply = await agent.Client.ListEdgeRoutesAsync(new ListEdgeRoutesRequest(), agent.Call(AgentCommand.Quick, ct));
                printer.Show(
                    reply,
                    ["HOSTNAME", "EDGE", "BACKEND", "ADDRESS", "CERTIFICATE", "SERIAL", "EXPIRES", "STATE"],
                    reply.Routes.Select(Row),
                    "no public routes; a service asks for one with public = true");
                if (!printer.Json)
                    await StatusCommands.ShowUnreachableAsync(reply.Unreachable);
                return reply.Routes.All(r => r.Problem.Length == 0) && reply.Unreachable.Count == 0 ? 0 : 1;
            }),
        };
        yield return new Command("route", "The ways to services")
        {
            AgentCommand.Create(
                "list", "Each route: the hostname, the service that it leads to, who may use it", [], async (_, agent, printer, ct) =>
            {
                var reply = await agent.Client.StatusAsync(new StatusRequest(), agent.Call(AgentCommand.Quick, ct));
                var fleet = reply.Node.Length == 0;
                string[] columns =
                [
                    .. StatusCommands.Column(fleet, "NODE"),
                    "SERVICE", "COMPONENT", "ROUTE", "MODE", "HOSTNAME", "PORT", "REACHED FROM",
                    .. StatusCommands.Column(fleet, "CERTIFICATE UNTIL"),
                ];
                printer.Show(reply, columns, reply.Components.SelectMany(c => c.Routes.Select(r => Row(c, r, fleet))), "no routes");
                return 0;
            }),
        };
    }

    /// <summary>The day, as UTC; empty: there is none.</summary>
    public static string Day(Timestamp? time) => time?.ToDateTime().ToString("yyyy-MM-dd", CultureInfo.InvariantCulture) ?? "";

    private static string[] Row(EdgeRoute r) =>
    [
        r.Hostname,
        r.Node,
        r.Backend,
        string.Join(' ', r.Addresses),
        r.Certificate?.Source ?? "none",
        r.Certificate?.Serial ?? "",
        Day(r.Certificate?.Expires),
        r.Problem.Length == 0 ? "ok" : r.Problem,
    ];

    private static string[] Row(ComponentStatus c, RouteStatus r, bool fleet) =>
    [
        .. StatusCommands.Column(fleet, c.Node),
        c.Service,
        c.Component,
        r.Name,
        r.Mode,
        r.Hostname,
        r.Port.ToString(CultureInfo.InvariantCulture),
        ReachedFrom(r, fleet),
        .. StatusCommands.Column(fleet, Day(r.CertificateExpires)),
    ];

    private static string ReachedFrom(RouteStatus r, bool fleet) => (r.Edge, r.Public, fleet) switch
    {
        ({ Length: > 0 } edge, _, _) => $"everywhere, at {edge}",
        (_, true, true) => "the fleet; no edge node yet",
        (_, _, true) => "the fleet",
        _ => "this node",
    };
}
