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
        yield return AgentCommand.Create("deploy", "Deploy a service: pull, start beside the old generation, wait for health, switch, retire", [target, node, dryRun],
            (parsed, agent, printer, ct) => parsed.GetValue(dryRun) ? PlanAsync(parsed.GetValue(target)!, parsed.GetValue(node), agent, printer, ct) : DeployAsync(parsed.GetValue(target)!, agent, printer, ct, parsed.GetValue(node)));
        var planned = new Argument<string>("service|file[/component]") { Description = "a service file, or the name of one in $MCP_HOME/services" };
        var planNode = new Option<string?>("--node") { Description = "as if it were to go there", HelpName = "NODE" };
        yield return AgentCommand.Create("plan", "Show what a deploy would change", [planned, planNode], (parsed, agent, printer, ct) => PlanAsync(parsed.GetValue(planned)!, parsed.GetValue(planNode), agent, printer, ct));
    }

    public static async Task<int> DeployAsync(string target, AgentConnection agent, Printer printer, CancellationToken ct, string? node = null)
    {
        var (_, text, definition, component) = ServiceSource.Read(target);
        using var call = agent.Client.Deploy(new DeployRequest { Definition = text, Component = component, Node = node ?? "" }, agent.Call(null, ct));
        await LiveSteps.ShowAsync(call.ResponseStream.ReadAllAsync(ct), $"deployed {definition.Name}", printer);
        return 0;
    }

    private static async Task<int> PlanAsync(string target, string? node, AgentConnection agent, Printer printer, CancellationToken ct)
    {
        var (_, text, _, component) = ServiceSource.Read(target);
        var plan = await agent.Client.PlanAsync(new DeployRequest { Definition = text, Component = component, Node = node ?? "" }, agent.Call(AgentCommand.Quick, ct));
        printer.Show(plan, ["COMPONENT", "ACTION", "DETAIL"], plan.Changes.Select(c => new[] { c.Component, c.Action, c.Detail }), "nothing would change");
        if (printer.Json || plan.Why.Length == 0)
            return 0;
        await Console.Out.WriteLineAsync(Visible.Text(plan.Node.Length > 0 ? $"on {plan.Node}: {plan.Why}" : $"nowhere: {plan.Why}"));
        foreach (var rejected in plan.Rejected)
            await Console.Out.WriteLineAsync(Visible.Text($"  not {rejected.Node}: {rejected.Why}"));
        return plan.Node.Length > 0 ? 0 : 1;
    }
}
