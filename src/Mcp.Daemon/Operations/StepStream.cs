using Grpc.Core;
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

    /// <summary>Follows what has begun.</summary>
    public static async Task FollowAsync(Work work, IServerStreamWriter<StepEvent> output, CancellationToken ct)
    {
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
