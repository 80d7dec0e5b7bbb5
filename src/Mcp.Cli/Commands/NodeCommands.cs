using System.CommandLine;
using System.Globalization;
using Grpc.Core;
using Mcp.Cli.Connection;
using Mcp.Cli.Output;
using Mcp.Model.Definition;
using Mcp.Model.Errors;
using Mcp.Model.Names;
using Mcp.Protocol.V1;

namespace Mcp.Cli.Commands;

/// <summary>node list, show, join-token, cordon, uncordon, drain, remove.</summary>
internal static class NodeCommands
{
    public static Command Create()
    {
        var node = new Command("node", "The nodes of the fleet")
        {
            AgentCommand.Create("list", "All nodes: roles, state, services, what runs on them", [], async (_, agent, printer, ct) =>
            {
                var reply = await agent.Nodes.ListNodesAsync(new ListNodesRequest(), agent.Call(AgentCommand.Quick, ct));
                printer.Show(
                    reply,
                    ["NODE", "STATE", "ROLES", "ADDRESS", "ARCH", "MEMORY FREE", "SERVICES", "RUNTIMES", "HEARTBEAT"],
                    reply.Nodes.Select(Row),
                    "no nodes; let one join: mcp node join-token");
                return 0;
            }),
            JoinToken(),
            Drain(),
        };
        var shown = new Argument<string?>("node") { Arity = ArgumentArity.ZeroOrOne, Description = "with --direct there is only one" };
        node.Add(AgentCommand.Create("show", "What a node has and which runtimes work on it", [shown], async (parsed, agent, printer, ct) =>
        {
            var reply = await agent.Client.NodeStatusAsync(
                new NodeStatusRequest { Node = parsed.GetValue(shown) ?? "" }, agent.Call(AgentCommand.Quick, ct));
            string[] row =
            [
                reply.Node,
                reply.Architecture,
                $"{reply.Cpus}",
                reply.Load.ToString("0.00", CultureInfo.InvariantCulture),
                $"{Gib(reply.MemoryFreeBytes)} of {Gib(reply.MemoryBytes)}",
                $"{Gib(reply.DiskFreeBytes)} of {Gib(reply.DiskBytes)}",
                $"{reply.Services}",
                string.Join(", ", reply.Runtimes.Select(Say)),
            ];
            printer.Show(reply, ["NODE", "ARCH", "CPUS", "LOAD", "MEMORY FREE", "DISK FREE", "SERVICES", "RUNTIMES"], [row], "");
            return 0;
        }));
        node.Add(Cordon("cordon", "It keeps what it has and gets nothing new", uncordon: false));
        node.Add(Cordon("uncordon", "It gets services again", uncordon: true));
        var removed = new Argument<string>("node");
        var force = new Option<bool>("--force") { Description = "also if services are placed there; they are forgotten" };
        node.Add(AgentCommand.Create(
            "remove", "Forget a node; its certificate does not count any more", [removed, force], async (parsed, agent, printer, ct) =>
        {
            var name = Label.Parse(parsed.GetValue(removed)!).Text;
            var request = new RemoveNodeRequest { Name = name, Force = parsed.GetValue(force) };
            return LifecycleCommands.Done(await agent.Nodes.RemoveNodeAsync(request, agent.Call(AgentCommand.Quick, ct)), printer);
        }));
        return node;
    }

    /// <summary>doctor, against the master.</summary>
    public static async Task<int> CheckAsync(WhoAmIReply me, AgentConnection agent, Printer printer, CancellationToken ct)
    {
        var reply = await agent.Nodes.ListNodesAsync(new ListNodesRequest(), agent.Call(AgentCommand.Quick, ct));
        var checks = new List<string[]> { new[] { "ok", "connection", $"TLS to {me.Node} as {me.Name} ({me.Role})" } };
        checks.AddRange(Endings.Of(me, reply.Endings));
        checks.AddRange(reply.Nodes.SelectMany(n => Endings.Near($"node {n.Name}: ", n.Facts?.Endings ?? [])));
        checks.AddRange(reply.Nodes.SelectMany(n => DiskLines.Bad($"node {n.Name}: ", n.Facts?.Disks ?? [])));
        checks.AddRange(reply.Nodes.Select(n => new[]
        {
            n.State == "reachable" ? "ok" : "failed",
            $"node {n.Name}",
            n.State == "reachable"
                ? string.Join(", ", n.Facts.Runtimes.Select(Say))
                : $"{n.State}; mcp doctor --direct {n.Address} looks closer",
        }));
        printer.Show(reply, ["RESULT", "CHECK", "DETAIL"], checks, "");
        return checks.Any(c => c[0] == "failed") ? 1 : 0;
    }

    public static string Gib(long bytes) => (bytes / 1073741824.0).ToString("0.0 GiB", CultureInfo.InvariantCulture);

    private static Command JoinToken()
    {
        var roles = new Option<string[]>("--role")
        {
            Description = "worker, master or edge; may be repeated (default: worker)",
            HelpName = "ROLE",
        };
        var life = new Option<string>("--life")
        {
            Description = "how long it counts, at most 7 days",
            DefaultValueFactory = _ => "1h",
            HelpName = "TIME",
        };
        return AgentCommand.Create(
            "join-token", "A token that lets one node join, once", [roles, life], async (parsed, agent, printer, ct) =>
        {
            var time = Durations.TryParse(parsed.GetValue(life)!, out var parsedLife)
                ? parsedLife
                : throw new McpException(ErrorCode.Usage, $"'{parsed.GetValue(life)}' is no time", "such as 30m, 1h");
            var request = new JoinTokenRequest { LifeSeconds = (long)time.TotalSeconds };
            request.Roles.AddRange(parsed.GetValue(roles) ?? []);
            var reply = await agent.Nodes.CreateJoinTokenAsync(request, agent.Call(AgentCommand.Quick, ct));
            if (printer.Json)
            {
                Printer.Message(reply);
                return 0;
            }

            // The token alone on standard output, so that it can be piped to where it is needed.
            await Console.Out.WriteLineAsync(Visible.Text(reply.Token));
            var join = $"mcp-agent join --master {Login.Read().Address} --token-file FILE --state DIR --listen ADDRESS:PORT";
            await Console.Error.WriteLineAsync(
                $"counts once, until {reply.Expires.ToDateTimeOffset():yyyy-MM-dd HH:mm:ss}Z; on the node: {join}");
            return 0;
        });
    }

    private static Command Drain()
    {
        var drained = new Argument<string>("node");
        var leaveData = DeployCommands.LeaveData();
        return AgentCommand.Create(
            "drain", "Cordon a node and move its services elsewhere", [drained, leaveData], async (parsed, agent, printer, ct) =>
        {
            var name = Label.Parse(parsed.GetValue(drained)!).Text;
            using var call = agent.Nodes.DrainNode(
                new NodeRequest { Name = name, LeaveData = parsed.GetValue(leaveData) }, agent.Call(null, ct));
            await new LiveSteps().ShowAsync(call.ResponseStream.ReadAllAsync(ct), $"drained {name}", printer);
            return 0;
        });
    }

    private static Command Cordon(string name, string description, bool uncordon)
    {
        var target = new Argument<string>("node");
        return AgentCommand.Create(name, description, [target], async (parsed, agent, printer, ct) =>
        {
            var request = new CordonNodeRequest { Name = Label.Parse(parsed.GetValue(target)!).Text, Uncordon = uncordon };
            return LifecycleCommands.Done(await agent.Nodes.CordonNodeAsync(request, agent.Call(AgentCommand.Quick, ct)), printer);
        });
    }

    private static string[] Row(Node n) =>
    [
        n.Name,
        n.Cordoned ? $"{n.State} (cordoned)" : n.State,
        string.Join(",", n.Roles),
        n.Address,
        n.Facts?.Architecture ?? "",
        n.Facts is null ? "" : Gib(n.Facts.MemoryFreeBytes),
        $"{n.Services}",
        string.Join(", ", (n.Facts?.Runtimes ?? []).Where(r => r.Usable).Select(r => r.Name)),
        n.LastHeartbeat is null ? "never" : $"{n.LastHeartbeat.ToDateTimeOffset():yyyy-MM-dd HH:mm:ss}Z",
    ];

    private static string Say(RuntimeStatus r) => r.Usable ? $"{r.Name} {r.Version}" : $"{r.Name} unusable: {r.Reason}";
}
