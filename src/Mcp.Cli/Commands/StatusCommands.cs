using System.CommandLine;
using System.Globalization;
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
            "status", "Desired and observed state of every component, and drift", [service], async (parsed, agent, printer, ct) =>
        {
            var reply = await agent.Client.StatusAsync(
                new StatusRequest { Service = parsed.GetValue(service) ?? "" }, agent.Call(AgentCommand.Quick, ct));
            await ShowAsync(reply, printer);
            return 0;
        });
        var live = new Argument<string?>("service") { Arity = ArgumentArity.ZeroOrOne };
        yield return AgentCommand.Create(
            "ps", "Instances as the runtimes report them right now", [live], async (parsed, agent, printer, ct) =>
        {
            var reply = await agent.Client.LiveCheckAsync(
                new StatusRequest { Service = parsed.GetValue(live) ?? "" }, agent.Call(AgentCommand.Quick, ct));
            var fleet = reply.Instances.Any(i => i.Node.Length > 0);
            string[] columns = [.. Column(fleet, "NODE"), "INSTANCE", "RUNTIME", "STATE", "IMAGE", "PORTS"];
            printer.Show(reply, columns, reply.Instances.Select(i => Row(i, fleet)), "no instances");
            if (!printer.Json)
                await ShowUnreachableAsync(reply.Unreachable);
            return 0;
        });
        yield return AgentCommand.Create("list", "Services with the number of their components", [], async (_, agent, printer, ct) =>
        {
            var reply = await agent.Client.StatusAsync(new StatusRequest(), agent.Call(AgentCommand.Quick, ct));
            var fleet = reply.Node.Length == 0;
            var services = reply.Components.GroupBy(c => (c.Node, c.Service));
            string[] columns = [.. Column(fleet, "NODE"), "SERVICE", "RUNNING", "COMPONENTS"];
            printer.Show(reply, columns, services.Select(s => Row(s.Key.Node, s.Key.Service, [.. s], fleet)), "no services");
            return 0;
        });
        yield return AgentCommand.Create("doctor", "Check the connection, the node and its runtimes", [], DoctorAsync);
    }

    public static async Task ShowAsync(StatusReply reply, Printer printer)
    {
        var fleet = reply.Node.Length == 0;
        var certified = reply.Components.Any(c => c.Routes.Any(r => r.CertificateExpires is not null));
        printer.Show(
            reply,
            [
                .. Column(fleet, "NODE"),
                "SERVICE", "COMPONENT", "STATE", "DESIRED", "GEN", "RESTARTS", "IMAGE",
                .. Column(certified, "CERTIFICATE UNTIL"),
                "ROUTES",
            ],
            reply.Components.Select(c => Row(c, fleet, certified)),
            "no services; deploy one: mcp deploy FILE");
        if (printer.Json)
            return;
        foreach (var drift in reply.Drift)
        {
            await Console.Out.WriteLineAsync(
                Visible.Text($"drift: {(fleet ? $"{drift.Node} " : "")}{drift.Instance} {drift.What} ({drift.Repair})"));
        }

        await ShowUnreachableAsync(reply.Unreachable);
    }

    public static string State(ComponentStatus c) => c switch
    {
        { Stale: true } => $"unknown (was {c.Observed})",
        { Misplaced: true } => $"{c.Observed} (not placed here)",
        { Flapping: true } => $"{c.Observed} (flapping)",
        { Unhealthy.Length: > 0 } => $"{c.Observed} (unhealthy)",
        { Starting.Length: > 0, Observed: "running" } => $"{c.Observed} (starting)",
        _ => c.Observed,
    };

    private static async Task<int> DoctorAsync(ParseResult parsed, Connection.AgentConnection agent, Printer printer, CancellationToken ct)
    {
        var me = await agent.Client.WhoAmIAsync(new WhoAmIRequest(), agent.Call(AgentCommand.Quick, ct));
        if (IsMaster(me))
            return await NodeCommands.CheckAsync(me, agent, printer, ct);
        var node = await agent.Client.NodeStatusAsync(new NodeStatusRequest(), agent.Call(AgentCommand.Quick, ct));
        var checks = new List<string[]>
        {
            new[] { "ok", "connection", $"TLS to node {me.Node} as {me.Name} ({me.Role})" },
            new[] { node.Proxy ? "ok" : "failed", "node proxy", ProxyTold(node) },
        };
        checks.AddRange(DiskLines.Of(node));
        checks.AddRange(Endings.Of(me, node.Endings));
        checks.AddRange(node.Runtimes.Select(
            r => new[] { r.Usable ? "ok" : "failed", $"runtime {r.Name}", r.Usable ? r.Version : $"{r.Reason} -> {r.Hint}" }));
        printer.Show(node, ["RESULT", "CHECK", "DETAIL"], checks, "");
        return checks.Any(c => c[0] == "failed") ? 1 : 0;
    }

    private static string ProxyTold(NodeStatusReply node) =>
        node.Proxy ? "answers" : node.ProxyFault.Length > 0 ? node.ProxyFault : "does not answer; the agent's log says why";

    // The text: masters before the field "master". To go with the release after the one that has it.
    private static bool IsMaster(WhoAmIReply me) => me.Master || me.Node.EndsWith(" (master)", StringComparison.Ordinal);

    private static string[] Row(ComponentStatus c, bool fleet, bool certified)
    {
        var until = c.Routes.Select(r => r.CertificateExpires).Where(t => t is not null).Min();
        return
        [
            .. Column(fleet, c.Node),
            c.Service,
            c.Component,
            State(c),
            c.Desired,
            $"{c.Generation}",
            $"{c.Restarts}",
            c.Image,
            .. Column(certified, RouteCommands.Day(until)),
            string.Join(" ", c.Routes.Select(Say)),
        ];
    }

    private static string[] Row(Instance i, bool fleet)
    {
        var state = i.Reason.Length > 0 ? $"{i.State} ({i.Reason})" : i.State;
        return [.. Column(fleet, i.Node), i.Name, i.Runtime, state, i.Image, string.Join(" ", i.Ports)];
    }

    private static string[] Row(string node, string service, IReadOnlyList<ComponentStatus> components, bool fleet)
    {
        var running = components.Count(c => c is { Observed: "running", Stale: false });
        return [.. Column(fleet, node), service, $"{running}/{components.Count}", string.Join(" ", components.Select(c => c.Component))];
    }

    public static string[] Column(bool shown, string text) => shown ? [text] : [];

    public static async Task ShowUnreachableAsync(IEnumerable<NodeProblem> nodes)
    {
        foreach (var node in nodes)
            await Console.Out.WriteLineAsync(Visible.Text($"unreachable: {node.What}"));
    }

    private static string Say(RouteStatus r) =>
        string.Create(CultureInfo.InvariantCulture, $"{(r.Hostname.Length > 0 ? r.Hostname : r.Name)}=127.0.0.1:{r.HostPort}");
}
