using System.CommandLine;
using System.Globalization;
using Mcp.Cli.Output;
using Mcp.Protocol.V1;

namespace Mcp.Cli.Commands;

/// <summary>status, ps, list, node, doctor.</summary>
internal static class StatusCommands
{
    public static IEnumerable<Command> All()
    {
        var service = new Argument<string?>("service") { Arity = ArgumentArity.ZeroOrOne };
        yield return AgentCommand.Create("status", "Desired and observed state of every component, and drift", [service], async (parsed, agent, printer, ct) =>
        {
            var reply = await agent.Client.StatusAsync(new StatusRequest { Service = parsed.GetValue(service) ?? "" }, agent.Call(AgentCommand.Quick, ct));
            printer.Show(reply, ["SERVICE", "COMPONENT", "STATE", "DESIRED", "GEN", "RESTARTS", "IMAGE", "ROUTES"], reply.Components.Select(Row), "no services; deploy one: mcp deploy FILE");
            if (!printer.Json)
            {
                foreach (var drift in reply.Drift)
                    await Console.Out.WriteLineAsync($"drift: {drift.Instance} {drift.What} ({drift.Repair})");
            }

            return 0;
        });
        var live = new Argument<string?>("service") { Arity = ArgumentArity.ZeroOrOne };
        yield return AgentCommand.Create("ps", "Instances as the runtimes report them right now", [live], async (parsed, agent, printer, ct) =>
        {
            var reply = await agent.Client.LiveCheckAsync(new StatusRequest { Service = parsed.GetValue(live) ?? "" }, agent.Call(AgentCommand.Quick, ct));
            printer.Show(reply, ["INSTANCE", "RUNTIME", "STATE", "IMAGE", "PORTS"], reply.Instances.Select(i => new[] { i.Name, i.Runtime, i.Reason.Length > 0 ? $"{i.State} ({i.Reason})" : i.State, i.Image, string.Join(" ", i.Ports) }), "no instances");
            return 0;
        });
        yield return AgentCommand.Create("list", "Services with the number of their components", [], async (_, agent, printer, ct) =>
        {
            var reply = await agent.Client.StatusAsync(new StatusRequest(), agent.Call(AgentCommand.Quick, ct));
            printer.Show(reply, ["SERVICE", "RUNNING", "COMPONENTS"], reply.Components.GroupBy(c => c.Service).Select(g => new[] { g.Key, $"{g.Count(c => c.Observed == "running")}/{g.Count()}", string.Join(" ", g.Select(c => c.Component)) }), "no services");
            return 0;
        });
        yield return Node();
        yield return AgentCommand.Create("doctor", "Check the connection, the node and its runtimes", [], DoctorAsync);
    }

    private static Command Node()
    {
        var node = new Command("node", "The node");
        node.Add(AgentCommand.Create("show", "What the node has and which runtimes work on it", [], async (_, agent, printer, ct) =>
        {
            var reply = await agent.Client.NodeStatusAsync(new NodeStatusRequest(), agent.Call(AgentCommand.Quick, ct));
            printer.Show(reply, ["NODE", "ARCH", "CPUS", "LOAD", "MEMORY FREE", "DISK FREE", "SERVICES", "RUNTIMES"],
            [[reply.Node, reply.Architecture, $"{reply.Cpus}", reply.Load.ToString("0.00", CultureInfo.InvariantCulture), $"{Gib(reply.MemoryFreeBytes)} of {Gib(reply.MemoryBytes)}", $"{Gib(reply.DiskFreeBytes)} of {Gib(reply.DiskBytes)}", $"{reply.Services}", string.Join(", ", reply.Runtimes.Select(Say))]], "");
            return 0;
        }));
        return node;
    }

    private static async Task<int> DoctorAsync(ParseResult parsed, Connection.AgentConnection agent, Printer printer, CancellationToken ct)
    {
        var me = await agent.Client.WhoAmIAsync(new WhoAmIRequest(), agent.Call(AgentCommand.Quick, ct));
        var node = await agent.Client.NodeStatusAsync(new NodeStatusRequest(), agent.Call(AgentCommand.Quick, ct));
        var checks = new List<string[]>
        {
            new[] { "ok", "connection", $"TLS to node {me.Node} as {me.Name} ({me.Role})" },
            new[] { node.Proxy ? "ok" : "failed", "node proxy", node.Proxy ? "answers" : "does not answer; the agent's log says why" },
            new[] { node.DiskFreeBytes > node.DiskBytes / 20 ? "ok" : "failed", "disk", $"{Gib(node.DiskFreeBytes)} of {Gib(node.DiskBytes)} free" },
        };
        checks.AddRange(node.Runtimes.Select(r => new[] { r.Usable ? "ok" : "failed", $"runtime {r.Name}", r.Usable ? r.Version : $"{r.Reason} -> {r.Hint}" }));
        printer.Show(node, ["RESULT", "CHECK", "DETAIL"], checks, "");
        return checks.All(c => c[0] == "ok") ? 0 : 1;
    }

    private static string[] Row(ComponentStatus c) =>
        [c.Service, c.Component, c.Flapping ? $"{c.Observed} (flapping)" : c.Observed, c.Desired, $"{c.Generation}", $"{c.Restarts}", c.Image, string.Join(" ", c.Routes.Select(Say))];

    private static string Say(RouteStatus r) => string.Create(CultureInfo.InvariantCulture, $"{(r.Hostname.Length > 0 ? r.Hostname : r.Name)}=127.0.0.1:{r.HostPort}");

    private static string Say(RuntimeStatus r) => r.Usable ? $"{r.Name} {r.Version}" : $"{r.Name} unusable: {r.Reason}";

    private static string Gib(long bytes) => (bytes / 1073741824.0).ToString("0.0 GiB", CultureInfo.InvariantCulture);
}
