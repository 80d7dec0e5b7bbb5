using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Mcp.Cli.Output;
using Mcp.Protocol.V1;

namespace Mcp.Cli.Commands;

/// <summary>status, ps, list, doctor.</summary>
internal static class StatusCommands
{
    public static IEnumerable<Command> All()
    {
        var service = new Argument<string?>("service") { Arity = ArgumentArity.ZeroOrOne };
        yield return AgentCommand.Create(
            "status", "How every component is, where it answers, and what differs from what is wanted", [service],
            async (parsed, agent, printer, ct) =>
        {
            var reply = await agent.Client.StatusAsync(
                new StatusRequest { Service = parsed.GetValue(service) ?? "" }, agent.Call(AgentCommand.Quick, ct));
            if (printer.Json)
                Printer.Message(reply);
            else
                Lines(reply, printer).ToList().ForEach(Console.Out.WriteLine);
            return 0;
        });
        var live = new Argument<string?>("service") { Arity = ArgumentArity.ZeroOrOne };
        yield return AgentCommand.Create(
            "ps", "Instances as the runtimes report them right now", [live], async (parsed, agent, printer, ct) =>
        {
            var reply = await agent.Client.LiveCheckAsync(
                new StatusRequest { Service = parsed.GetValue(live) ?? "" }, agent.Call(AgentCommand.Quick, ct));
            var fleet = reply.Instances.Any(i => i.Node.Length > 0);
            Column[] columns =
            [
                .. Only<Column>(fleet, "NODE"),
                "INSTANCE", new("RUNTIME", 2), new("STATE", Folds: true), new("STARTED", 1), new("IMAGE", 3), new("PORTS", 4),
            ];
            foreach (var instance in reply.Instances)
                instance.Runtime = Checks.Runtime(instance.Runtime);
            printer.Show(reply, new Table(columns, reply.Instances.Select(i => Row(i, fleet))), "no instances");
            if (!printer.Json)
                await ShowUnreachableAsync(reply.Unreachable, printer);
            return 0;
        });
        yield return AgentCommand.Create("list", "Services with their components, and how many of them run", [], ListAsync);
        yield return AgentCommand.Create("doctor", "Check the connection, the node and its runtimes", [], DoctorAsync);
    }

    /// <summary>As they would be shown.</summary>
    public static IEnumerable<string> Lines(StatusReply reply, Printer printer)
    {
        var fleet = reply.Node.Length == 0;
        var certified = reply.Components.Any(c => c.Routes.Any(r => r.CertificateExpires is not null));
        Column[] columns =
        [
            .. Only<Column>(fleet, "NODE"),
            "SERVICE", "COMPONENT", "STATE", new("DESIRED", 6), new("GEN", 5), new("RESTARTS", 4), new("SINCE", 2), new("IMAGE", 3),
            .. Only<Column>(certified, new("CERTIFICATE UNTIL", 7)),
            new("URL", 1),
        ];
        var table = new Table(columns, reply.Components.Select(c => Row(c, fleet, certified)));
        var drift = reply.Drift.Select(d => $"drift: {(fleet ? $"{d.Node} " : "")}{d.Instance} {d.What} ({Outlook(d)})");
        return
        [
            .. printer.Lines(table, "no services; deploy one: mcp deploy FILE"),
            .. drift.SelectMany(printer.Sentence),
            .. reply.Unreachable.SelectMany(n => printer.Sentence($"unreachable: {n.What}")),
        ];
    }

    public static string State(ComponentStatus c)
    {
        // What was stopped on purpose has not merely ended.
        var observed = c is { Desired: "stopped", Observed: "exited" or "failed" } ? "stopped" : c.Observed;
        return c switch
        {
            { Stale: true } => $"unknown (was {observed})",
            { Misplaced: true } => $"{observed} (not placed here)",
            { Flapping: true } => $"{observed} (flapping)",
            { Unhealthy.Length: > 0 } => $"{observed} (unhealthy)",
            { Starting.Length: > 0, Observed: "running" } => $"{observed} (starting)",
            _ => observed,
        };
    }

    /// <summary>What becomes of a difference. A repair of another version has its own word.</summary>
    public static string Outlook(Drift drift) => drift.Repair switch
    {
        "none" => "left as it is",
        "recreate" => "will be created again",
        "restart" => "will be started again",
        "stop" => "will be stopped",
        "redeploy" => "will be replaced",
        "remove" => "will be removed",
        "report" => "not repaired by itself",
        var other => other,
    };

    /// <summary>Where a component answers: its routes, then its fixed ports.</summary>
    public static IEnumerable<string> Urls(ComponentStatus c) =>
        c.Routes.Select(RouteCommands.Url).Where(url => url.Length > 0).Concat(c.Ports);

    public static T[] Only<T>(bool shown, T one) => shown ? [one] : [];

    public static async Task ShowUnreachableAsync(IEnumerable<NodeProblem> nodes, Printer printer)
    {
        foreach (var line in nodes.SelectMany(n => printer.Sentence($"unreachable: {n.What}")))
            await Console.Out.WriteLineAsync(line);
    }

    private static async Task<int> ListAsync(ParseResult parsed, Connection.AgentConnection agent, Printer printer, CancellationToken ct)
    {
        var reply = await agent.Client.StatusAsync(new StatusRequest(), agent.Call(AgentCommand.Quick, ct));
        var fleet = reply.Node.Length == 0;
        var services = reply.Components.GroupBy(c => (c.Node, c.Service)).ToList();
        Column[] columns = [.. Only<Column>(fleet, "NODE"), "SERVICE", "RUNNING", "COMPONENTS"];
        var table = new Table(columns, services.Select(s => Row(s.Key.Node, s.Key.Service, [.. s], fleet)));
        var json = new JsonObject
        {
            ["services"] = new JsonArray([.. services.Select(s => (JsonNode)new JsonObject
            {
                ["node"] = s.Key.Node,
                ["service"] = s.Key.Service,
                ["running"] = Running(s),
                ["components"] = Json.Texts(s.Select(c => c.Component)),
            })]),
            ["unreachable"] = new JsonArray([.. reply.Unreachable.Select(u => (JsonNode)Json.Of(u))]),
        };
        printer.Show(json, table, "no services");
        if (!printer.Json)
            await ShowUnreachableAsync(reply.Unreachable, printer);
        return 0;
    }

    private static async Task<int> DoctorAsync(ParseResult parsed, Connection.AgentConnection agent, Printer printer, CancellationToken ct)
    {
        var me = await agent.Client.WhoAmIAsync(new WhoAmIRequest(), agent.Call(AgentCommand.Quick, ct));
        if (IsMaster(me))
            return await NodeCommands.CheckAsync(me, agent, printer, ct);
        var node = await agent.Client.NodeStatusAsync(new NodeStatusRequest(), agent.Call(AgentCommand.Quick, ct));
        var status = await agent.Client.StatusAsync(new StatusRequest(), agent.Call(AgentCommand.Quick, ct));
        return Checks.Show(
            [
                ["ok", "connection", $"TLS to node {me.Node} as {me.Name} ({me.Role})"],
                [node.Proxy ? "ok" : "failed", "node proxy", ProxyTold(node)],
                .. DiskLines.Of(node),
                .. Endings.Of(me, node.Endings),
                .. Checks.Of(node.Runtimes, status.Components),
            ],
            printer);
    }

    private static string ProxyTold(NodeStatusReply node) =>
        node.Proxy ? "answers" : node.ProxyFault.Length > 0 ? node.ProxyFault : "does not answer; the agent's log says why";

    // The text: masters before the field "master". To go with the release after the one that has it.
    private static bool IsMaster(WhoAmIReply me) => me.Master || me.Node.EndsWith(" (master)", StringComparison.Ordinal);

    private static Cell[] Row(ComponentStatus c, bool fleet, bool certified)
    {
        var until = c.Routes.Select(r => r.CertificateExpires).Where(t => t is not null).Min();
        var urls = Urls(c).ToList();
        return
        [
            .. Only<Cell>(fleet, c.Node),
            c.Service,
            c.Component,
            State(c),
            c.Desired,
            c.Generation.ToString(CultureInfo.InvariantCulture),
            c.Restarts.ToString(CultureInfo.InvariantCulture),
            Cell.Age(c.Since),
            c.Image,
            .. Only(certified, Cell.Day(until)),
            new(urls.Count > 1 ? $"{urls[0]} and {urls.Count - 1} more" : string.Join("", urls), string.Join(' ', urls)),
        ];
    }

    private static Cell[] Row(Instance i, bool fleet)
    {
        var state = i.Reason.Length > 0 ? $"{i.State} ({i.Reason})" : i.State;
        return [.. Only<Cell>(fleet, i.Node), i.Name, i.Runtime, state, Cell.Age(i.Started), i.Image, string.Join(' ', i.Ports)];
    }

    private static Cell[] Row(string node, string service, IReadOnlyList<ComponentStatus> components, bool fleet) =>
    [
        .. Only<Cell>(fleet, node), service, $"{Running(components)}/{components.Count}",
        string.Join(' ', components.Select(c => c.Component)),
    ];

    private static int Running(IEnumerable<ComponentStatus> components) =>
        components.Count(c => c is { Observed: "running", Stale: false });
}
