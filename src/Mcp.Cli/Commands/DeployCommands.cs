using System.CommandLine;
using Grpc.Core;
using Mcp.Cli.Connection;
using Mcp.Cli.Output;
using Mcp.Protocol.V1;

namespace Mcp.Cli.Commands;

internal static class DeployCommands
{
    public static IEnumerable<Command> All()
    {
        var target = new Argument<string>("service|file[/component]") { Description = "a service file, or the name of one in $MCP_HOME/services" };
        var node = new Option<string?>("--node") { Description = "place it on this node, or move it there", HelpName = "NODE" };
        var dryRun = new Option<bool>("--dry-run") { Description = "only show what would change" };
        var leaveData = LeaveData();
        yield return AgentCommand.Create("deploy", "Deploy a service: pull, start beside the old generation, wait for health, switch, retire", [target, node, leaveData, dryRun],
            (parsed, agent, printer, ct) => parsed.GetValue(dryRun)
                ? PlanAsync(parsed.GetValue(target)!, parsed.GetValue(node), parsed.GetValue(leaveData), agent, printer, ct)
                : DeployAsync(parsed.GetValue(target)!, agent, printer, ct, parsed.GetValue(node), parsed.GetValue(leaveData)));
        var planned = new Argument<string>("service|file[/component]") { Description = "a service file, or the name of one in $MCP_HOME/services" };
        var planNode = new Option<string?>("--node") { Description = "as if it were to go there", HelpName = "NODE" };
        var planLeaveData = LeaveData();
        yield return AgentCommand.Create("plan", "Show what a deploy would change", [planned, planNode, planLeaveData],
            (parsed, agent, printer, ct) => PlanAsync(parsed.GetValue(planned)!, parsed.GetValue(planNode), parsed.GetValue(planLeaveData), agent, printer, ct));
    }

    /// <summary>Of every command that moves services.</summary>
    public static Option<bool> LeaveData() => new("--leave-data") { Description = "move it although data in its writable volumes stays behind" };

    public static async Task<int> DeployAsync(string target, AgentConnection agent, Printer printer, CancellationToken ct, string? node = null, bool leaveData = false)
    {
        var (_, text, definition, component) = ServiceSource.Read(target);
        using var call = agent.Client.Deploy(new DeployRequest { Definition = text, Component = component, Node = node ?? "", LeaveData = leaveData }, agent.Call(null, ct));
        await LiveSteps.ShowAsync(call.ResponseStream.ReadAllAsync(ct), $"deployed {definition.Name}", printer);
        return 0;
    }

    private static async Task<int> PlanAsync(string target, string? node, bool leaveData, AgentConnection agent, Printer printer, CancellationToken ct)
    {
        var (_, text, _, component) = ServiceSource.Read(target);
        var plan = await agent.Client.PlanAsync(new DeployRequest { Definition = text, Component = component, Node = node ?? "", LeaveData = leaveData }, agent.Call(AgentCommand.Quick, ct));
        printer.Show(plan, ["COMPONENT", "ACTION", "DETAIL"], plan.Changes.Select(c => new[] { c.Component, c.Action, c.Detail }), "nothing would change");
        if (printer.Json || plan.Why.Length == 0)
            return 0;
        await Console.Out.WriteLineAsync(plan.Node.Length > 0 ? $"on {plan.Node}: {plan.Why}" : $"nowhere: {plan.Why}");
        foreach (var rejected in plan.Rejected)
            await Console.Out.WriteLineAsync($"  not {rejected.Node}: {rejected.Why}");
        return plan.Node.Length > 0 ? 0 : 1;
    }
}
