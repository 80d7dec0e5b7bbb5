using Grpc.Core;
using Mcp.Cli.Connection;
using Mcp.Cli.Output;
using Mcp.Protocol.V1;

namespace Mcp.Cli.Commands;

/// <summary>Says what a call waits for, where the service is being changed by somebody else.</summary>
internal static class Waits
{
    private static readonly TimeSpan s_first = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan s_again = TimeSpan.FromSeconds(10);

    /// <param name="mine">What the call itself is there.</param>
    public static async Task<T> TellAsync<T>(Task<T> call, string service, string mine, AgentConnection agent, CancellationToken ct)
    {
        for (var pause = s_first; await Task.WhenAny(call, Task.Delay(pause, ct)) != call && !ct.IsCancellationRequested; pause = s_again)
        {
            if (await UnderwayAsync(service, agent, ct) is { What.Length: > 0 } other && other.What != mine)
                await Console.Error.WriteLineAsync(Visible.Text($"mcp: waits for {other.Told}"));
        }

        return await call;
    }

    // An older program cannot say it, and one that is away says it by the call itself.
    private static async Task<UnderwayReply?> UnderwayAsync(string service, AgentConnection agent, CancellationToken ct)
    {
        try
        {
            return await agent.Client.UnderwayAsync(new ServiceRequest { Service = service }, agent.Call(AgentCommand.Quick, ct));
        }
        catch (RpcException)
        {
            return null;
        }
    }
}
