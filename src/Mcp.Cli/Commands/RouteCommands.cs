using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Mcp.Cli.Output;
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
                Column[] columns =
                [
                    "HOSTNAME", new("EDGE", 2), new("BACKEND", 4), new("ADDRESS", 5), new("CERTIFICATE", 3), new("SERIAL", 6),
                    new("EXPIRES", 1), new("STATE", Folds: true),
                ];
                var table = new Table(columns, reply.Routes.Select(Row));
                printer.Show(reply, table, "no public routes; a service asks for one with public = true");
                if (!printer.Json)
                    await StatusCommands.ShowUnreachableAsync(reply.Unreachable, printer);
                return reply.Routes.All(r => r.Problem.Length == 0) && reply.Unreachable.Count == 0 ? 0 : 1;
            }),
        };
        yield return new Command("route", "The routes to services")
        {
            AgentCommand.Create(
                "list", "Each route: its address, the service that it leads to, who may use it", [], async (_, agent, printer, ct) =>
            {
                var reply = await agent.Client.StatusAsync(new StatusRequest(), agent.Call(AgentCommand.Quick, ct));
                var fleet = reply.Node.Length == 0;
                Column[] columns =
                [
                    .. StatusCommands.Only<Column>(fleet, new("NODE", 2)),
                    "SERVICE", "COMPONENT", new("ROUTE", 4), new("MODE", 5), new("HOSTNAME", 6), new("PORT", 7), new("REACHED FROM", 1),
                    .. StatusCommands.Only<Column>(fleet, new("CERTIFICATE UNTIL", 3)),
                    "URL",
                ];
                var routes = reply.Components.SelectMany(c => c.Routes.Select(r => (Component: c, Route: r))).ToList();
                var table = new Table(columns, routes.Select(r => Row(r.Component, r.Route, fleet)));
                var json = new JsonObject
                {
                    ["routes"] = new JsonArray([.. routes.Select(r => (JsonNode)Object(r.Component, r.Route, fleet))]),
                    ["unreachable"] = new JsonArray([.. reply.Unreachable.Select(u => (JsonNode)Json.Of(u))]),
                };
                printer.Show(json, table, "no routes");
                if (!printer.Json)
                    await StatusCommands.ShowUnreachableAsync(reply.Unreachable, printer);
                return 0;
            }),
        };
    }

    /// <summary>Where it answers, as far as whoever was asked says so.</summary>
    public static string Url(RouteStatus r) => r.Url.Length > 0
        ? r.Url
        : r.HostPort > 0 ? string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{r.HostPort}") : "";

    private static Cell[] Row(EdgeRoute r) =>
    [
        r.Hostname,
        r.Node,
        r.Backend,
        string.Join(' ', r.Addresses),
        r.Certificate?.Source ?? "none",
        r.Certificate?.Serial ?? "",
        Cell.Day(r.Certificate?.Expires),
        r.Problem.Length == 0 ? "ok" : r.Problem,
    ];

    private static Cell[] Row(ComponentStatus c, RouteStatus r, bool fleet) =>
    [
        .. StatusCommands.Only<Cell>(fleet, c.Node),
        c.Service,
        c.Component,
        r.Name,
        r.Mode,
        r.Hostname,
        r.Port.ToString(CultureInfo.InvariantCulture),
        ReachedFrom(r, fleet),
        .. StatusCommands.Only(fleet, Cell.Day(r.CertificateExpires)),
        Url(r),
    ];

    private static JsonObject Object(ComponentStatus c, RouteStatus r, bool fleet) => new()
    {
        ["node"] = c.Node,
        ["service"] = c.Service,
        ["component"] = c.Component,
        ["route"] = r.Name,
        ["mode"] = r.Mode,
        ["hostname"] = r.Hostname,
        ["port"] = r.Port,
        ["reached_from"] = ReachedFrom(r, fleet),
        ["certificate_expires"] = Json.Time(r.CertificateExpires),
        ["url"] = Url(r),
    };

    private static string ReachedFrom(RouteStatus r, bool fleet) => (r.Edge, r.Public, fleet) switch
    {
        ({ Length: > 0 } edge, _, _) => $"everywhere, at {edge}",
        (_, true, true) => "the fleet; no edge node yet",
        (_, _, true) => "the fleet",
        _ => "this node",
    };
}
