using System.Diagnostics;
using System.Globalization;
using Mcp.Daemon.Doors;
using Mcp.Protocol.V1;

namespace Mcp.Daemon.Operations;

/// <summary>Something that is done to a service: what, by whom, and how far it is. Any number of clients follow it from its beginning, also
/// those who come late; it waits for none of them.</summary>
/// <param name="what">Such as deploy, undeploy, restart.</param>
/// <param name="by">The name on the token; empty: nobody asked.</param>
/// <param name="also">Hears it too.</param>
public sealed class Work(string what, string by, StepReport? also = null) : IDisposable
{
    public const string Deploy = "deploy";

    /// <summary>The step of one that waits for another to end.</summary>
    public const string Waiting = "wait";

    private readonly Lock _lock = new();
    private readonly CancellationTokenSource _cancel = new();
    private readonly TaskCompletionSource<StepEvent> _end = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly List<StepEvent> _happened = [];
    private readonly List<StepResult> _results = [];
    private readonly List<StepFeed> _feeds = [];
    private readonly long _began = Stopwatch.GetTimestamp();
    private long _stepBegan = Stopwatch.GetTimestamp();
    private StepEvent? _progress;
    private bool _over;

    public string What => what;

    public string By => by;

    /// <summary>Empty: none yet.</summary>
    public string Step { get; private set; } = "";

    public TimeSpan InStep => Stopwatch.GetElapsedTime(_stepBegan);

    /// <summary>Who has cancelled it; null: nobody.</summary>
    public string? CancelledBy { get; private set; }

    /// <summary>It is to be taken back.</summary>
    public CancellationToken Cancelled => _cancel.Token;

    /// <summary>Ends its wait for another change of the service, and nothing that has begun.</summary>
    public CancellationToken Patience { get; init; }

    /// <summary>What it came to: the last event, or why it failed.</summary>
    public Task<StepEvent> Ended => _end.Task;

    /// <summary>Such as "the deploy by admin, at step health since 12 s".</summary>
    public string Told
    {
        get
        {
            var who = by.Length > 0 ? $"the {what} by {by}" : $"another change ({what})";
            var where = string.Create(CultureInfo.InvariantCulture, $", at step {Step} since {InStep.TotalSeconds:0} s");
            return Step.Length == 0 ? who : who + where;
        }
    }

    /// <summary>For a <see cref="StepReport"/>.</summary>
    public void Report(string step, StepMark mark, string detail)
    {
        also?.Invoke(step, mark, detail);
        lock (_lock)
        {
            if (mark == StepMark.Started)
                (Step, _stepBegan) = (step, Stopwatch.GetTimestamp());
            var happened = new StepEvent
            {
                Kind = Kind(mark),
                Step = Texts.Cut(step),
                Detail = Texts.Cut(detail),
                DurationMs = (long)InStep.TotalMilliseconds,
            };
            if (mark is StepMark.Done or StepMark.Failed)
            {
                _results.Add(new StepResult
                {
                    Name = happened.Step,
                    Ok = mark == StepMark.Done,
                    Detail = happened.Detail,
                    DurationMs = happened.DurationMs,
                });
            }

            if (mark == StepMark.Failed)
                happened.Results.AddRange(_results);
            // Of progress only the last is kept, and only for as long as it is news.
            _progress = mark == StepMark.Progress ? happened : null;
            if (mark != StepMark.Progress)
                _happened.Add(happened);
            // What has no beginning began when the one before ended.
            if (mark == StepMark.Done)
                _stepBegan = Stopwatch.GetTimestamp();
            _feeds.ForEach(f => f.Add(happened.Clone()));
        }
    }

    /// <summary>All that has happened, and what will.</summary>
    public StepFeed Follow()
    {
        var feed = new StepFeed();
        lock (_lock)
        {
            _happened.ForEach(e => feed.Add(e.Clone()));
            if (_progress is { } progress)
                feed.Add(progress.Clone());
            if (_over)
                feed.Complete();
            else
                _feeds.Add(feed);
        }

        return feed;
    }

    /// <summary>Nobody follows it that way any more.</summary>
    public void Leave(StepFeed feed)
    {
        lock (_lock)
            _feeds.Remove(feed);
    }

    /// <summary>Has it taken back, unless it has ended.</summary>
    public void Cancel(string who)
    {
        lock (_lock)
        {
            if (_over)
                return;
            CancelledBy ??= who;
        }

        try
        {
            _cancel.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // It has ended just now.
        }
    }

    /// <summary>Does it, and tells whoever follows how it ends.</summary>
    /// <param name="run">Gives the last event; what became of each step, and how long it took, is filled in.</param>
    public async Task<StepEvent> RunAsync(Func<Task<StepEvent>> run)
    {
        try
        {
            var end = await run();
            (end.Kind, end.DurationMs) = (StepEvent.Types.Kind.Finished, (long)Stopwatch.GetElapsedTime(_began).TotalMilliseconds);
            lock (_lock)
                end.Results.AddRange(_results);
            _end.TrySetResult(end);
            return end;
        }
        catch (Exception e)
        {
            _end.TrySetException(e);
            // Whoever does not wait for the end need not look at it.
            _ = _end.Task.Exception;
            throw;
        }
        finally
        {
            Complete();
        }
    }

    public void Dispose()
    {
        Complete();
        _end.TrySetCanceled();
        _cancel.Dispose();
    }

    private void Complete()
    {
        lock (_lock)
        {
            _over = true;
            _feeds.ForEach(f => f.Complete());
            _feeds.Clear();
        }
    }

    private static StepEvent.Types.Kind Kind(StepMark mark) => mark switch
    {
        StepMark.Started => StepEvent.Types.Kind.Started,
        StepMark.Progress => StepEvent.Types.Kind.Progress,
        StepMark.Done => StepEvent.Types.Kind.Done,
        StepMark.Failed => StepEvent.Types.Kind.Failed,
        StepMark.Undone => StepEvent.Types.Kind.Undone,
        StepMark.Serving => StepEvent.Types.Kind.Serving,
    };
}
