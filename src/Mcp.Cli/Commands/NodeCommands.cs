using System.CommandLine;
using System.Globalization;
using Grpc.Core;
using Mcp.Cli.Connection;
using Mcp.Cli.Output;
using Mcp.Model.Definition;
using Mcp.Model.Errors;
using Mcp.Model.Names;
using Mcp.Protocol.V1;
using Mcp.Usage;

namespace Mcp.Cli.Commands;

/// <summary>node list, show, join-token, cordon, uncordon, drain, remove.</summary>
internal static class NodeCommands
{
    private static readonly TimeSpan s_shortestLife = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan s_longestLife = TimeSpan.FromDays(7);

    public static Command Create()
    {
        var node = new Command("node", "The nodes of the fleet")
        {
            AgentCommand.Create("list", "All nodes: roles, state, services, what runs on them", [], async (_, agent, printer, ct) =>
            {
                var reply = await agent.Nodes.ListNodesAsync(new ListNodesRequest(), agent.Call(AgentCommand.Quick, ct));
                Column[] columns =
                [
                    "NODE", "STATE", new("ROLES", 3), new("ADDRESS", 2), new("ARCH", 6), new("MEMORY FREE", 4), "SERVICES",
                    new("RUNTIMES", 5), new("HEARTBEAT", 1),
                ];
                printer.Show(reply, new Table(columns, reply.Nodes.Select(Row)), "no nodes; let one join: mcp node join-token");
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
            Cell[] row =
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
            Column[] columns =
            [
                "NODE", new("ARCH", 4), new("CPUS", 2), new("LOAD", 3), "MEMORY FREE", "DISK FREE", new("SERVICES", 1),
                new("RUNTIMES", Folds: true),
            ];
            printer.Show(reply, new Table(columns, [row]), "");
            return 0;
        }));
        node.Add(Cordon("cordon", "Keep a node from getting new services; it keeps what it has", uncordon: false));
        node.Add(Cordon("uncordon", "Let a node get services again", uncordon: true));
        var removed = new Argument<string>("node");
        var force = new Option<bool>("--force") { Description = "even if it has services; the master forgets them, too" };
        node.Add(AgentCommand.Create(
            "remove", "Forget a node; its certificate is no longer accepted", [removed, force], async (parsed, agent, printer, ct) =>
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
        var status = await agent.Client.StatusAsync(new StatusRequest(), agent.Call(AgentCommand.Quick, ct));
        checks.AddRange(reply.Nodes.Where(n => n.State == "reachable").SelectMany(n => Checks.Bad(n, status.Components)));
        checks.AddRange(reply.Nodes.Select(n => new[]
        {
            n.State == "reachable" ? "ok" : "failed",
            $"node {n.Name}",
            n.State == "reachable"
                ? string.Join(", ", (n.Facts?.Runtimes ?? []).Select(Say))
                : $"{n.State}; mcp doctor --direct {n.Address} looks closer",
        }));
        return Checks.Show(checks, printer);
    }

    public static string Gib(long bytes) => (bytes / 1073741824.0).ToString("0.0 GiB", CultureInfo.InvariantCulture);

    private static Command JoinToken()
    {
        var roles = new Option<string[]>("--role")
        {
            Description = "worker, master or edge; may be repeated (default: worker)",
            HelpName = "ROLE",
        };
        roles.OnlyFrom("worker", "master", "edge");
        var life = new Option<string>("--life")
        {
            Description = "how long it is valid, at most 7 days",
            DefaultValueFactory = _ => "1h",
            HelpName = "TIME",
        };
        return AgentCommand.Create(
            "join-token", "A token that lets one node join, once", [roles, life], async (parsed, agent, printer, ct) =>
        {
            if (!Durations.TryParse(parsed.GetValue(life)!, out var time) || time < s_shortestLife || time > s_longestLife)
            {
                var what = $"--life must be a time from 1s to 168h, not '{Label.Clip(parsed.GetValue(life)!)}'";
                throw new McpException(ErrorCode.Usage, what, "such as 30m, 1h");
            }

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
                $"can be used once, until {reply.Expires.ToDateTimeOffset():yyyy-MM-dd HH:mm:ss}Z; on the node: {join}");
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
                new NodeRequest { Name = name, LeaveData = parsed.GetValue(leaveData) }, agent.Following(ct));
            await new LiveSteps(printer).ShowAsync(call.ResponseStream.ReadAllAsync(ct), $"drained {name}");
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

    private static Cell[] Row(Node n) =>
    [
        n.Name,
        n.Cordoned ? $"{n.State} (cordoned)" : n.State,
        string.Join(",", n.Roles),
        n.Address,
        n.Facts?.Architecture ?? "",
        n.Facts is null ? "" : Gib(n.Facts.MemoryFreeBytes),
        $"{n.Services}",
        string.Join(", ", (n.Facts?.Runtimes ?? []).Where(r => r.Usable).Select(r => Checks.Runtime(r.Name))),
        Cell.Age(n.LastHeartbeat, "never"),
    ];

    private static string Say(RuntimeStatus r) =>
        r.Usable ? $"{Checks.Runtime(r.Name)} ({r.Version})" : $"{Checks.Runtime(r.Name)}: {r.Reason}";
}
