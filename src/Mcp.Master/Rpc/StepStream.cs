using System.Diagnostics;
using Grpc.Core;
using Mcp.Daemon.Doors;
using Mcp.Daemon.Operations;
using Mcp.Protocol.V1;

namespace Mcp.Master.Rpc;

/// <summary>An operation's steps as they happen. It goes on when the client goes away: a broken terminal must not stop it.</summary>
internal static class StepStream
{
    public static async Task SendAsync(Func<StepReport, Task> run, IServerStreamWriter<StepEvent> output, CancellationToken ct)
    {
        var events = new StepFeed();
        var results = new List<StepResult>();
        var whole = Stopwatch.StartNew();
        var step = new Stopwatch();
        var operation = run((name, mark, detail) =>
        {
            if (mark == StepMark.Started)
                step.Restart();
            var happened = new StepEvent { Kind = Kind(mark), Step = name, Detail = detail, DurationMs = step.ElapsedMilliseconds };
            if (mark is StepMark.Done or StepMark.Failed)
            {
                results.Add(new StepResult
                {
                    Name = name,
                    Ok = mark == StepMark.Done,
                    Detail = Texts.Cut(detail),
                    DurationMs = happened.DurationMs,
                });
            }

            if (mark == StepMark.Failed)
                happened.Results.AddRange(results);
            events.Add(happened);
        });
        _ = operation.ContinueWith(_ => events.Complete(), TaskScheduler.Default);
        await events.SendAsync(output, ct);
        await operation;
        var finished = new StepEvent { Kind = StepEvent.Types.Kind.Finished, DurationMs = whole.ElapsedMilliseconds };
        finished.Results.AddRange(results);
        await output.WriteAsync(finished, ct);
    }

    private static StepEvent.Types.Kind Kind(StepMark mark) => mark switch
    {
        StepMark.Started => StepEvent.Types.Kind.Started,
        StepMark.Progress => StepEvent.Types.Kind.Progress,
        StepMark.Done => StepEvent.Types.Kind.Done,
        StepMark.Failed => StepEvent.Types.Kind.Failed,
        StepMark.Undone => StepEvent.Types.Kind.Undone,
    };
}
