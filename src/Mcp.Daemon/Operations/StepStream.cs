using Grpc.Core;
using Mcp.Model.Errors;
using Mcp.Protocol.V1;

namespace Mcp.Daemon.Operations;

/// <summary>Work as it happens, to whoever asked for it or follows it. It goes on when the client goes away: a broken terminal must not
/// stop it.</summary>
public static class StepStream
{
    /// <summary>Begins it. The work is disposed of when it has ended, whenever its client goes away.</summary>
    /// <param name="run">Gives the last event.</param>
    public static async Task SendAsync(Work work, Func<Task<StepEvent>> run, IServerStreamWriter<StepEvent> output, CancellationToken ct)
    {
        var feed = work.Follow();
        var operation = EndAsync(work, run);
        await SendAsync(work, feed, output, ct);
        await output.WriteAsync(await operation, ct);
    }

    /// <summary>Follows a deploy that has begun.</summary>
    /// <exception cref="McpException">operation.none: it is something else, which tells no steps.</exception>
    public static async Task FollowAsync(Work work, IServerStreamWriter<StepEvent> output, CancellationToken ct)
    {
        if (work.What != Work.Deploy)
        {
            throw new McpException(
                ErrorCode.OperationNone, $"no deploy is running that could be followed, but {work.Told} is", "wait for it: mcp events");
        }

        await SendAsync(work, work.Follow(), output, ct);
        var end = (await work.Ended.WaitAsync(ct)).Clone();
        // To the master alone: a service's definition may hold secrets.
        end.Revision = Google.Protobuf.ByteString.Empty;
        await output.WriteAsync(end, ct);
    }

    private static async Task<StepEvent> EndAsync(Work work, Func<Task<StepEvent>> run)
    {
        using (work)
            return await work.RunAsync(run);
    }

    private static async Task SendAsync(Work work, StepFeed feed, IServerStreamWriter<StepEvent> output, CancellationToken ct)
    {
        try
        {
            await feed.SendAsync(output, ct);
        }
        finally
        {
            work.Leave(feed);
        }
    }
}
