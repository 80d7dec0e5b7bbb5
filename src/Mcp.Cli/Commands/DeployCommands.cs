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
        var dryRun = new Option<bool>("--dry-run") { Description = "only show what would change" };
        yield return AgentCommand.Create("deploy", "Deploy a service: pull, start beside the old generation, wait for health, switch, retire", [target, dryRun],
            (parsed, agent, printer, ct) => parsed.GetValue(dryRun) ? PlanAsync(parsed.GetValue(target)!, agent, printer, ct) : DeployAsync(parsed.GetValue(target)!, agent, printer, ct));
        var planned = new Argument<string>("service|file[/component]") { Description = "a service file, or the name of one in $MCP_HOME/services" };
        yield return AgentCommand.Create("plan", "Show what a deploy would change", [planned], (parsed, agent, printer, ct) => PlanAsync(parsed.GetValue(planned)!, agent, printer, ct));
    }

    public static async Task<int> DeployAsync(string target, AgentConnection agent, Printer printer, CancellationToken ct)
    {
        var (_, text, definition, component) = ServiceSource.Read(target);
        using var call = agent.Client.Deploy(new DeployRequest { Definition = text, Component = component }, agent.Call(null, ct));
        await LiveSteps.ShowAsync(call.ResponseStream.ReadAllAsync(ct), definition.Name.Text, printer);
        return 0;
    }

    private static async Task<int> PlanAsync(string target, AgentConnection agent, Printer printer, CancellationToken ct)
    {
        var (_, text, _, component) = ServiceSource.Read(target);
        var plan = await agent.Client.PlanAsync(new DeployRequest { Definition = text, Component = component }, agent.Call(AgentCommand.Quick, ct));
        printer.Show(plan, ["COMPONENT", "ACTION", "DETAIL"], plan.Changes.Select(c => new[] { c.Component, c.Action, c.Detail }), "nothing would change");
        return 0;
    }
}
