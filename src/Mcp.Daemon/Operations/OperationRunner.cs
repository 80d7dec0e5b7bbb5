using Mcp.Daemon.Errors;
using Mcp.Model.Errors;

namespace Mcp.Daemon.Operations;

/// <summary>One step of a long operation. Both ways are safe to repeat, also after a crash in the middle.</summary>
public interface IStep<TState>
{
    /// <summary>In the journal and on the screen; never renamed.</summary>
    string Name { get; }

    /// <param name="progress">What it is doing just now, for people.</param>
    Task<TState> RunAsync(TState state, IProgress<string> progress, CancellationToken ct);

    Task UndoAsync(TState state, CancellationToken ct);

    /// <summary>What it came to, for people; empty: nothing to say.</summary>
    string Sum(TState state) => "";

    /// <summary>What becomes of it when somebody takes the operation back.</summary>
    OnCancel OnCancel => OnCancel.End;
}

/// <summary>What becomes of a step when somebody takes its operation back.</summary>
public enum OnCancel
{
    /// <summary>It ends, and counts as failed.</summary>
    End,

    /// <summary>It goes on: whoever takes it back tells those who do it.</summary>
    Told,

    /// <summary>It goes on, and whatever comes after it: it is too late.</summary>
    TooLate,
}

/// <summary>What a failed step means for the operation.</summary>
public enum OnFailure
{
    /// <summary>Every step up to it is undone, in reverse.</summary>
    Undo,

    /// <summary>The later steps do not run, the earlier ones stand; whoever asks again goes on from there.</summary>
    Stop,

    /// <summary>The later steps run all the same; every failure is told.</summary>
    GoOn,
}

/// <summary>Where an operation stands, kept before and after each step.</summary>
/// <param name="Step">Index of the step that runs or comes next.</param>
/// <param name="State">The operation's state as JSON.</param>
public sealed record JournalEntry(Guid Id, string Kind, string Subject, int Step, bool Undoing, string State)
{
    /// <summary>What failed, of one that is being undone.</summary>
    public string Why { get; init; } = "";
}

public interface IJournal
{
    /// <summary>Makes room for <see cref="MarkUndoing"/>.</summary>
    void Prepare(Guid id);

    /// <summary>For when it cannot be saved: it is being undone from now on.</summary>
    void MarkUndoing(Guid id);

    void Save(JournalEntry entry);

    /// <param name="why">What failed; empty: nothing.</param>
    void Close(Guid id, Outcome outcome, string why = "");

    IReadOnlyList<JournalEntry> Open();
}

/// <remarks>Serving: the new is in the old's place, and is only watched from now on.</remarks>
public enum StepMark { Started, Progress, Done, Failed, Undone, Serving }

/// <summary>Hears what an operation does: the step, what became of it, and details.</summary>
public delegate void StepReport(string step, StepMark mark, string detail);

/// <summary>A step failed and what had been done was undone, or is still to be, or stands.</summary>
/// <param name="undoFailure">Why it could not be undone yet; the operation stays in the journal. Null: all was undone.</param>
/// <param name="standing">The steps before it, whose work was left as it is on purpose; null: it was not.</param>
public sealed class StepFailedException(
    string step,
    McpException cause,
    Exception? undoFailure = null,
    IReadOnlyList<string>? standing = null) : Exception(cause.Message, cause)
{
    /// <summary>What became of the earlier steps, as the second half of "step x failed".</summary>
    public string Aftermath =>
        standing is not null
            ? (standing.Count == 0 ? "; nothing was done before it" : $"; these steps are kept: {string.Join(", ", standing)}")
            : UndoFailure is { } left ? $" and could not be undone yet ({left.Message}; it is tried again)" : " and was undone";

    public string Step { get; } = step;

    public bool Undone => UndoFailure is null;

    public Exception? UndoFailure { get; } = undoFailure;

    public McpException Reason { get; } = cause;
}

/// <summary>A step's progress that also hears when what is deployed is in its place.</summary>
public interface IServing : IProgress<string>
{
    void Serves();
}

/// <summary>Runs steps in order, each journaled before it begins. The one saga engine.</summary>
/// <param name="undoLimit">How long undoing one step may take; null: 10 minutes.</param>
/// <param name="failed">What the undo shall know of the failure.</param>
public sealed class OperationRunner<TState>(
    IReadOnlyList<IStep<TState>> steps,
    IJournal journal,
    Func<TState, string> write,
    Func<string, TState> read,
    OnFailure onFailure = OnFailure.Undo,
    Func<TState, TimeSpan>? undoLimit = null,
    Func<TState, McpException, TState>? failed = null)
{
    private static readonly TimeSpan s_undoLimit = TimeSpan.FromMinutes(10);

    /// <exception cref="StepFailedException">A step failed; the exception says what became of the steps before it. Not with
    /// <see cref="OnFailure.GoOn"/>.</exception>
    /// <exception cref="OperationCanceledException">Cancelled; the operation stays in the journal, at its step.</exception>
    public async Task<TState> RunAsync(JournalEntry entry, StepReport? report, CancellationToken ct)
    {
        using var work = new Work(entry.Kind, "", report);
        return await CarryOutAsync(entry, work, ct);
    }

    /// <summary>The same for work that somebody may take back.</summary>
    public async Task<TState> CarryOutAsync(JournalEntry entry, Work work, CancellationToken ct)
    {
        StepReport report = work.Report;
        using var both = CancellationTokenSource.CreateLinkedTokenSource(ct, work.Cancelled);
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
                if (onFailure == OnFailure.Undo)
                    journal.Prepare(entry.Id);
                report(steps[i].Name, StepMark.Started, "");
                // What was cancelled before it is cancelled in it; what it is too late for is not.
                (steps[i].OnCancel == OnCancel.TooLate ? ct : both.Token).ThrowIfCancellationRequested();
                state = await steps[i].RunAsync(
                    state,
                    new StepProgress(steps[i].Name, report),
                    steps[i].OnCancel == OnCancel.End ? both.Token : ct);
            }
            // Whoever is told to end leaves it in the journal, at this step.
            catch (Exception e) when (!ct.IsCancellationRequested)
            {
                var reason = work.CancelledBy is { } who && steps[i].OnCancel == OnCancel.End ? Cancelled(who, e) : Reason(e);
                report(steps[i].Name, StepMark.Failed, reason.Message);
                if (onFailure == OnFailure.Undo)
                {
                    entry = entry with { Why = $"step {steps[i].Name}: {reason.Message}" };
                    state = failed is null ? state : failed(state, reason);
                    throw new StepFailedException(steps[i].Name, reason, await TryUndoAsync(entry, state, report));
                }

                if (onFailure == OnFailure.GoOn)
                    continue;
                journal.Close(entry.Id, Outcome.Failed, $"step {steps[i].Name}: {reason.Message}");
                throw new StepFailedException(steps[i].Name, reason, standing: [.. steps.Take(i).Select(s => s.Name)]);
            }

            report(steps[i].Name, StepMark.Done, steps[i].Sum(state));
        }

        journal.Close(entry.Id, Outcome.Done);
        return state;
    }

    private static McpException Reason(Exception e) => e switch
    {
        McpException own => own,
        OperationCanceledException => new McpException(ErrorCode.OperationCancelled, "cancelled", "", e),
        _ when Storage.StorageFault.Explain(e) is { } fault => fault,
        _ => new McpException(ErrorCode.StepFailed, FailureText.Of(e), FailureText.IsOurs(e) ? FailureText.OurFault : "", e),
    };

    private static McpException Cancelled(string who, Exception e) =>
        new(ErrorCode.OperationCancelled, $"cancelled by {who}", "", e);

    private async Task<Exception?> TryUndoAsync(JournalEntry entry, TState state, StepReport report)
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

    private async Task UndoAsync(JournalEntry entry, TState state, StepReport report)
    {
        Exception? unwritten = null;
        for (var i = entry.Step; i >= 0; i--)
        {
            // Where the disk is full, undoing goes before writing it down: it frees something, and it is safe to repeat.
            unwritten = TrySave(entry with { Step = i, Undoing = true, State = write(state) });
            if (unwritten is not null)
                journal.MarkUndoing(entry.Id);
            using var limit = new CancellationTokenSource(undoLimit?.Invoke(state) ?? s_undoLimit);
            await steps[i].UndoAsync(state, limit.Token);
            report(steps[i].Name, StepMark.Undone, "");
        }

        if (unwritten is not null)
            throw unwritten;
        journal.Close(entry.Id, Outcome.Undone, entry.Why);
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
    private sealed class StepProgress(string step, StepReport report) : IServing
    {
        public void Report(string value) => report(step, StepMark.Progress, value);

        public void Serves() => report(step, StepMark.Serving, "");
    }
}
