using Mcp.Model;

namespace Mcp.Daemon.Operations;

/// <summary>One step of a long operation. Both ways are safe to repeat, also after a crash in the middle.</summary>
public interface IStep<TState>
{
    /// <summary>In the journal and on the screen; never renamed.</summary>
    string Name { get; }

    /// <param name="progress">What it is doing just now, for people.</param>
    Task<TState> RunAsync(TState state, IProgress<string> progress, CancellationToken ct);

    Task UndoAsync(TState state, CancellationToken ct);
}

/// <summary>Where an operation stands, kept before and after each step.</summary>
/// <param name="Step">Index of the step that runs or comes next.</param>
/// <param name="State">The operation's state as JSON.</param>
public sealed record JournalEntry(Guid Id, string Kind, string Subject, int Step, bool Undoing, string State);

public interface IJournal
{
    void Save(JournalEntry entry);

    void Close(Guid id);

    IReadOnlyList<JournalEntry> Open();
}

public enum StepMark { Started, Progress, Done, Failed, Undone }

/// <summary>Hears what an operation does: the step, what became of it, and details.</summary>
public delegate void StepReport(string step, StepMark mark, string detail);

/// <summary>A step failed and what had been done was undone, or is still to be.</summary>
/// <param name="undoFailure">Why it could not be undone yet; the operation stays in the journal. Null: all was undone.</param>
public sealed class StepFailedException(string step, McpException cause, Exception? undoFailure = null) : Exception(cause.Message, cause)
{
    public string Step { get; } = step;

    public bool Undone => UndoFailure is null;

    public Exception? UndoFailure { get; } = undoFailure;

    public McpException Reason { get; } = cause;
}

/// <summary>Runs steps in order, each journaled before it begins; a failure undoes them in reverse. The one saga engine.</summary>
public sealed class OperationRunner<TState>(IReadOnlyList<IStep<TState>> steps, IJournal journal, Func<TState, string> write, Func<string, TState> read)
{
    private static readonly TimeSpan s_undoLimit = TimeSpan.FromMinutes(2);

    /// <exception cref="StepFailedException">A step failed; everything was undone, or the exception says why not.</exception>
    public async Task<TState> RunAsync(JournalEntry entry, StepReport? report, CancellationToken ct)
    {
        var state = read(entry.State);
        if (entry.Undoing)
        {
            await UndoAsync(entry, state, report);
            return state;
        }

        for (var i = entry.Step; i < steps.Count; i++)
        {
            entry = entry with { Step = i, State = write(state) };
            try
            {
                journal.Save(entry);
                report?.Invoke(steps[i].Name, StepMark.Started, "");
                ct.ThrowIfCancellationRequested();
                state = await steps[i].RunAsync(state, new StepProgress(steps[i].Name, report), ct);
            }
            catch (Exception e)
            {
                var reason = Reason(e);
                report?.Invoke(steps[i].Name, StepMark.Failed, reason.Message);
                throw new StepFailedException(steps[i].Name, reason, await TryUndoAsync(entry, state, report));
            }

            report?.Invoke(steps[i].Name, StepMark.Done, "");
        }

        journal.Close(entry.Id);
        return state;
    }

    private static McpException Reason(Exception e) => e switch
    {
        McpException own => own,
        OperationCanceledException => new McpException("operation.cancelled", "cancelled", "", e),
        _ when Storage.DiskFull.Is(e) => Storage.DiskFull.Explain(e),
        _ => new McpException("step.failed", $"{e.GetType().Name}: {e.Message}", "", e),
    };

    private async Task<Exception?> TryUndoAsync(JournalEntry entry, TState state, StepReport? report)
    {
        try
        {
            await UndoAsync(entry, state, report);
            return null;
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            return e;
        }
    }

    private async Task UndoAsync(JournalEntry entry, TState state, StepReport? report)
    {
        Exception? unwritten = null;
        for (var i = entry.Step; i >= 0; i--)
        {
            // Where the disk is full, undoing goes before writing it down: it frees something, and it is safe to repeat.
            unwritten = TrySave(entry with { Step = i, Undoing = true, State = write(state) });
            using var limit = new CancellationTokenSource(s_undoLimit);
            await steps[i].UndoAsync(state, limit.Token);
            report?.Invoke(steps[i].Name, StepMark.Undone, "");
        }

        if (unwritten is not null)
            throw unwritten;
        journal.Close(entry.Id);
    }

    private Exception? TrySave(JournalEntry entry)
    {
        try
        {
            journal.Save(entry);
            return null;
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            return e;
        }
    }

    // Not Progress<T>, which would report out of order on the thread pool.
    private sealed class StepProgress(string step, StepReport? report) : IProgress<string>
    {
        public void Report(string value) => report?.Invoke(step, StepMark.Progress, value);
    }
}
