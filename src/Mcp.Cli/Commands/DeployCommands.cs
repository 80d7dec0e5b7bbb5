using System.CommandLine;
using System.Globalization;
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

    private static async Task<int> DeployAsync(string target, AgentConnection agent, Printer printer, CancellationToken ct)
    {
        var (_, text, definition, component) = ServiceSource.Read(target);
        using var call = agent.Client.Deploy(new DeployRequest { Definition = text, Component = component }, agent.Call(null, ct));
        await foreach (var step in call.ResponseStream.ReadAllAsync(ct))
        {
            if (printer.Json)
                Printer.Message(step);
            else if (Line(step, definition.Name.Text) is { } line)
                await Console.Out.WriteLineAsync(line);
        }

        return 0;
    }

    private static string? Line(StepEvent step, string service) => step.Kind switch
    {
        StepEvent.Types.Kind.Done => string.Create(CultureInfo.InvariantCulture, $"  ok      {step.Step,-8} {step.DurationMs,6} ms"),
        StepEvent.Types.Kind.Failed => string.Create(CultureInfo.InvariantCulture, $"  failed  {step.Step,-8} {step.DurationMs,6} ms"),
        StepEvent.Types.Kind.Undone => $"  undone  {step.Step}",
        StepEvent.Types.Kind.Progress => $"          {step.Detail}",
        StepEvent.Types.Kind.Finished => string.Create(CultureInfo.InvariantCulture, $"deployed {service} in {step.DurationMs} ms"),
        _ => null,
    };

    private static async Task<int> PlanAsync(string target, AgentConnection agent, Printer printer, CancellationToken ct)
    {
        var (_, text, _, component) = ServiceSource.Read(target);
        var plan = await agent.Client.PlanAsync(new DeployRequest { Definition = text, Component = component }, agent.Call(AgentCommand.Quick, ct));
        printer.Show(plan, ["COMPONENT", "ACTION", "DETAIL"], plan.Changes.Select(c => new[] { c.Component, c.Action, c.Detail }), "nothing would change");
        return 0;
    }
}
