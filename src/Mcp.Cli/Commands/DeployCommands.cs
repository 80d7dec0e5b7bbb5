using System.CommandLine;
using Grpc.Core;
using Mcp.Cli.Connection;
using Mcp.Cli.Output;
using Mcp.Model.Errors;
using Mcp.Model.Names;
using Mcp.Protocol.V1;

namespace Mcp.Cli.Commands;

internal static class DeployCommands
{
    public static IEnumerable<Command> All()
    {
        var dryRun = new Option<bool>("--dry-run") { Description = "only show what would change" };
        var id = PlanId();
        var detach = new Option<bool>("--detach") { Description = "return as soon as it serves, before it was watched for a while" };
        var attach = new Option<bool>("--attach") { Description = "only follow the deploy of this service that is under way" };
        var deploy = new Choices("place it on this node, or move it there");
        yield return AgentCommand.Create(
            "deploy",
            "Deploy a service: what changed is replaced, health-gated; what did not is kept",
            [.. deploy.All, id, dryRun, detach, attach],
            (parsed, agent, printer, ct) =>
            {
                if (parsed.GetValue(attach))
                    return AttachAsync(deploy.Target(parsed), parsed.GetValue(detach), agent, printer, ct);
                var wanted = deploy.Read(parsed);
                if (parsed.GetValue(dryRun))
                    return PlanAsync(wanted, agent, printer, ct);
                wanted.Request.Plan = parsed.GetValue(id) ?? "";
                return DeployAsync(wanted, parsed.GetValue(detach), agent, printer, ct);
            });
        var cancelled = new Argument<string>("service");
        yield return AgentCommand.Create(
            "cancel",
            "Take back the deploy of a service that is under way",
            [cancelled],
            async (parsed, agent, printer, ct) =>
            {
                var service = Label.Parse(parsed.GetValue(cancelled)!).Text;
                var request = new CancelRequest { Service = service };
                return LifecycleCommands.Done(await agent.Client.CancelAsync(request, agent.Call(AgentCommand.Slow, ct)), printer);
            });
        var plan = new Choices("as if it were to go there");
        yield return AgentCommand.Create(
            "plan",
            "Show what a deploy would change",
            [.. plan.All],
            (parsed, agent, printer, ct) => PlanAsync(plan.Read(parsed), agent, printer, ct));
    }

    /// <summary>For every command that moves services.</summary>
    public static Option<bool> LeaveData() =>
        new("--leave-data") { Description = "move it although data in its writable volumes stays behind" };

    public static Task<int> DeployAsync(string target, AgentConnection agent, Printer printer, CancellationToken ct)
    {
        var (_, text, definition, component) = ServiceSource.Read(target);
        var request = new DeployRequest { Definition = text, Component = component };
        return DeployAsync((request, $"{definition.Name}"), detach: false, agent, printer, ct);
    }

    private static async Task<int> DeployAsync(
        (DeployRequest Request, string Service) wanted,
        bool detach,
        AgentConnection agent,
        Printer printer,
        CancellationToken ct)
    {
        var options = agent.Call(null, ct);
        using var call = wanted.Request.Plan.Length == 0
            ? agent.Client.Deploy(wanted.Request, options)
            : agent.Client.DeployPlanned(wanted.Request, options);
        try
        {
            return await FollowAsync(call.ResponseStream, wanted.Service, detach, printer, ct);
        }
        catch (RpcException e) when (e.StatusCode == StatusCode.Unimplemented && wanted.Request.Plan.Length > 0)
        {
            throw new McpException(
                ErrorCode.PlanUnsupported,
                "who answers here is too old for --plan; nothing was done",
                "install the newer mcp-master or mcp-agent there, or deploy without --plan",
                e);
        }
    }

    private static async Task<int> AttachAsync(
        string service,
        bool detach,
        AgentConnection agent,
        Printer printer,
        CancellationToken ct)
    {
        using var call = agent.Client.Attach(new ServiceRequest { Service = service }, agent.Call(null, ct));
        return await FollowAsync(call.ResponseStream, service, detach, printer, ct);
    }

    // It belongs to the node, whatever becomes of us.
    private static async Task<int> FollowAsync(
        IAsyncStreamReader<StepEvent> steps,
        string service,
        bool detach,
        Printer printer,
        CancellationToken ct)
    {
        var shown = new LiveSteps();
        try
        {
            await shown.ShowAsync(steps.ReadAllAsync(ct), $"deployed {service}", printer, detach);
            if (shown.HasLeft && !printer.Json)
                await Console.Out.WriteLineAsync($"{service} serves, and is watched; mcp deploy --attach {service} follows it");
            return 0;
        }
        catch (Exception e) when (ct.IsCancellationRequested
            && e is OperationCanceledException or RpcException { StatusCode: StatusCode.Cancelled })
        {
            throw shown is { HasAnswered: true, HasBegun: false }
                ? new McpException(ErrorCode.OperationCancelled, $"the deploy of {service} had not begun, and is taken back", "", e)
                : Unwatched($"the deploy of {service} is no longer watched; it goes on by itself", service, e);
        }
        catch (RpcException e) when (shown.HasAnswered && IsLost(e))
        {
            var what = shown.HasBegun
                ? $"the connection was lost; the deploy of {service} goes on by itself"
                : $"the connection was lost while the deploy of {service} was waiting for its turn";
            throw Unwatched(what, service, e);
        }
    }

    private static bool IsLost(RpcException e) =>
        e.StatusCode == StatusCode.Unavailable || e.Status.DebugException is HttpRequestException or IOException;

    private static McpException Unwatched(string what, string service, Exception e) => new(
        ErrorCode.DeployUnwatched,
        what,
        $"mcp deploy --attach {service} follows it; mcp cancel {service} takes it back",
        e);

    private static async Task<int> PlanAsync(
        (DeployRequest Request, string Service) wanted,
        AgentConnection agent,
        Printer printer,
        CancellationToken ct)
    {
        var plan = await agent.Client.PlanAsync(wanted.Request, agent.Call(AgentCommand.Quick, ct));
        if (printer.Json)
            Printer.Message(plan);
        else
            PlanText.Lines(plan, wanted.Service).ToList().ForEach(line => Console.Out.WriteLine(Visible.Text(line)));
        // The master says why it goes where it goes; an agent has only itself.
        return plan.Why.Length > 0 && plan.Node.Length == 0 ? 1 : 0;
    }

    private static Option<string?> PlanId()
    {
        var option = new Option<string?>("--plan")
        {
            Description = "only what mcp plan has shown under this id; refused where anything has changed since",
            HelpName = "ID",
        };
        option.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<string>() is not { Length: 16 } id || !id.All(char.IsAsciiHexDigitLower))
                result.AddError("--plan takes the 16 digits that mcp plan prints at its end");
        });
        return option;
    }

    /// <summary>What deploy and plan are asked for in the same words.</summary>
    private sealed class Choices(string nodeMeans)
    {
        private readonly Argument<string> _target = new("service|file[/component]")
        {
            Description = "a service file, or the name of one in $MCP_HOME/services",
        };

        private readonly Option<string?> _node = new("--node") { Description = nodeMeans, HelpName = "NODE" };
        private readonly Option<bool> _force = new("--force") { Description = "replace components that did not change, too" };
        private readonly Option<bool> _leaveData = LeaveData();
        private readonly Option<string[]> _pull = new("--pull")
        {
            Description = "take the image that its registry has now for this component; may be given more than once",
            HelpName = "COMPONENT",
        };

        public IEnumerable<Symbol> All => [_target, _node, _force, _pull, _leaveData];

        /// <summary>The service's name, also where a file is given.</summary>
        public string Target(ParseResult parsed)
        {
            var target = parsed.GetValue(_target)!;
            return Label.TryParse(target, out var name) ? name.Text : ServiceSource.Read(target).Definition.Name.Text;
        }

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
                Pull = { parsed.GetValue(_pull) ?? [] },
            };
            return (request, $"{definition.Name}");
        }
    }
}
