using System.CommandLine;
using Grpc.Core;
using Mcp.Cli.Connection;
using Mcp.Cli.Output;
using Mcp.Model.Errors;
using Mcp.Protocol.V1;

namespace Mcp.Cli.Commands;

internal static class DeployCommands
{
    public static IEnumerable<Command> All()
    {
        var dryRun = new Option<bool>("--dry-run") { Description = "only show what would change" };
        var deploy = new Choices("place it on this node, or move it there");
        yield return AgentCommand.Create("deploy", "Deploy a service: what changed is replaced, health-gated; what did not is kept", [.. deploy.All, dryRun],
            (parsed, agent, printer, ct) => parsed.GetValue(dryRun)
                ? PlanAsync(deploy.Read(parsed), agent, printer, ct)
                : DeployAsync(deploy.Read(parsed), agent, printer, ct));
        var plan = new Choices("as if it were to go there");
        yield return AgentCommand.Create("plan", "Show what a deploy would change", [.. plan.All], (parsed, agent, printer, ct) => PlanAsync(plan.Read(parsed), agent, printer, ct));
    }

    /// <summary>For every command that moves services.</summary>
    public static Option<bool> LeaveData() => new("--leave-data") { Description = "move it although data in its writable volumes stays behind" };

    public static Task<int> DeployAsync(string target, AgentConnection agent, Printer printer, CancellationToken ct)
    {
        var (_, text, definition, component) = ServiceSource.Read(target);
        return DeployAsync((new DeployRequest { Definition = text, Component = component }, $"{definition.Name}"), agent, printer, ct);
    }

    private static async Task<int> DeployAsync((DeployRequest Request, string Service) wanted, AgentConnection agent, Printer printer, CancellationToken ct)
    {
        using var call = agent.Client.Deploy(wanted.Request, agent.Call(null, ct));
        try
        {
            await LiveSteps.ShowAsync(call.ResponseStream.ReadAllAsync(ct), $"deployed {wanted.Service}", printer);
            return 0;
        }
        catch (Exception e) when (ct.IsCancellationRequested && e is OperationCanceledException or RpcException { StatusCode: StatusCode.Cancelled })
        {
            throw new McpException(ErrorCode.DeployUnwatched, $"the deploy of {wanted.Service} is no longer watched; it goes on by itself", "mcp events shows how it ends", e);
        }
    }

    private static async Task<int> PlanAsync((DeployRequest Request, string Service) wanted, AgentConnection agent, Printer printer, CancellationToken ct)
    {
        var plan = await agent.Client.PlanAsync(wanted.Request, agent.Call(AgentCommand.Quick, ct));
        printer.Show(plan, ["COMPONENT", "ACTION", "DETAIL"], plan.Changes.Select(c => new[] { c.Component, c.Action, c.Detail }), "nothing would change");
        if (printer.Json || plan.Why.Length == 0)
            return 0;
        await Console.Out.WriteLineAsync(Visible.Text(plan.Node.Length > 0 ? $"on {plan.Node}: {plan.Why}" : $"nowhere: {plan.Why}"));
        foreach (var rejected in plan.Rejected)
            await Console.Out.WriteLineAsync(Visible.Text($"  not {rejected.Node}: {rejected.Why}"));
        return plan.Node.Length > 0 ? 0 : 1;
    }

    /// <summary>What deploy and plan are asked for in the same words.</summary>
    private sealed class Choices(string nodeMeans)
    {
        private readonly Argument<string> _target = new("service|file[/component]") { Description = "a service file, or the name of one in $MCP_HOME/services" };
        private readonly Option<string?> _node = new("--node") { Description = nodeMeans, HelpName = "NODE" };
        private readonly Option<bool> _force = new("--force") { Description = "replace components that did not change, too" };
        private readonly Option<bool> _leaveData = LeaveData();

        public IEnumerable<Symbol> All => [_target, _node, _force, _leaveData];

        public (DeployRequest Request, string Service) Read(ParseResult parsed)
        {
            var (_, text, definition, component) = ServiceSource.Read(parsed.GetValue(_target)!);
            var request = new DeployRequest
            {
                Definition = text,
                Component = component,
                Node = parsed.GetValue(_node) ?? "",
                Force = parsed.GetValue(_force),
                LeaveData = parsed.GetValue(_leaveData),
            };
            return (request, $"{definition.Name}");
        }
    }
}
