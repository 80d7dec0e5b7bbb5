using Grpc.Core;
using Mcp.Cli.Connection;
using Mcp.Cli.Output;
using Mcp.Model.Errors;
using Mcp.Protocol.V1;

namespace Mcp.Cli.Commands;

/// <summary>A deploy that is asked for, or under way already, until its end. It belongs to the node, whatever becomes of us.</summary>
/// <param name="detach">Only until it serves.</param>
internal sealed class Following(string service, bool detach, AgentConnection agent, Printer printer)
{
    /// <summary>Where nobody reads any more, it goes on by itself.</summary>
    public bool MayLeave { get; init; } = true;

    public async Task DeployAsync(DeployRequest request, CancellationToken ct)
    {
        var options = agent.Following(ct);
        using var call = request.Plan.Length == 0 ? agent.Client.Deploy(request, options) : agent.Client.DeployPlanned(request, options);
        try
        {
            await FollowAsync(call.ResponseStream, ct);
        }
        catch (RpcException e) when (e.StatusCode == StatusCode.Unimplemented && request.Plan.Length > 0)
        {
            throw new McpException(
                ErrorCode.PlanUnsupported,
                $"the program at {agent.Address} is too old for --plan; nothing was done",
                "install the newer mcp-master or mcp-agent there, or deploy without --plan",
                e);
        }
    }

    public async Task AttachAsync(CancellationToken ct)
    {
        using var call = agent.Client.Attach(new ServiceRequest { Service = service }, agent.Following(ct));
        await FollowAsync(call.ResponseStream, ct);
    }

    private async Task FollowAsync(IAsyncStreamReader<StepEvent> steps, CancellationToken ct)
    {
        var shown = new LiveSteps(printer, service, MayLeave);
        try
        {
            await shown.ShowAsync(steps.ReadAllAsync(ct), $"deployed {service}", detach);
        }
        catch (Exception e) when (ct.IsCancellationRequested
            && e is OperationCanceledException or RpcException { StatusCode: StatusCode.Cancelled })
        {
            throw shown is { HasAnswered: true, HasBegun: false }
                ? new McpException(ErrorCode.OperationCancelled, $"the deploy of {service} had not begun and was cancelled", "", e)
                : Unwatched($"the deploy of {service} is no longer watched; it goes on by itself", e);
        }
        catch (RpcException e) when (shown.HasAnswered && IsLost(e))
        {
            var what = shown.HasBegun
                ? $"the connection was lost; the deploy of {service} goes on by itself"
                : $"the connection was lost while the deploy of {service} was waiting for its turn";
            throw Unwatched(what, e);
        }

        if (printer.Json)
            return;
        await TellUrlsAsync(ct);
        if (shown.HasLeft)
            await Console.Out.WriteLineAsync($"{service} serves; the node keeps watching it. To follow: mcp deploy --attach {service}");
    }

    // Who answers may have gone by now; what was deployed stays deployed.
    private async Task TellUrlsAsync(CancellationToken ct)
    {
        try
        {
            var reply = await agent.Client.StatusAsync(new StatusRequest { Service = service }, agent.Call(AgentCommand.Quick, ct));
            var width = reply.Components.Select(c => c.Component.Length).DefaultIfEmpty(0).Max();
            var lines = reply.Components.SelectMany(c => StatusCommands.Urls(c).Select(url => $"  {c.Component.PadRight(width)}  {url}"));
            foreach (var line in lines)
                await Console.Out.WriteLineAsync(Visible.Text(line));
        }
        catch (RpcException) when (!ct.IsCancellationRequested)
        {
            // mcp status says why.
        }
    }

    private static bool IsLost(RpcException e) =>
        e.StatusCode == StatusCode.Unavailable || e.Status.DebugException is HttpRequestException or IOException;

    private McpException Unwatched(string what, Exception e) => new(
        ErrorCode.DeployUnwatched,
        what,
        $"mcp deploy --attach {service} follows it; mcp cancel {service} takes it back",
        e);
}
