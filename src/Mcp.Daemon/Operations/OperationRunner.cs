using Mcp.Model;

namespace Mcp.Daemon.Operations;

/// <summary>One step of a long operation. Both ways are safe to repeat, also after a crash in the middle.</summary>
public interface IStep<TState>
{
    /// <summary>In the journal and on the screen; never renamed.</summary>
    string Name { get; }

    Task<TState> RunAsync(TState state, CancellationToken ct);

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

public enum StepMark { Started, Done, Failed, Undone }

/// <summary>A step failed and what had been done was undone.</summary>
public sealed class StepFailedException(string step, McpException cause) : Exception(cause.Message, cause)
{
    public string Step { get; } = step;

    public McpException Reason { get; } = cause;
}

/// <summary>Runs steps in order, each journaled before it begins; a failure undoes them in reverse. The one saga engine.</summary>
public sealed class OperationRunner<TState>(IReadOnlyList<IStep<TState>> steps, IJournal journal, Func<TState, string> write, Func<string, TState> read)
{
    /// <exception cref="StepFailedException">A step failed; everything was undone.</exception>
    public async Task<TState> RunAsync(JournalEntry entry, Action<string, StepMark, string>? report, CancellationToken ct)
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
            journal.Save(entry);
            report?.Invoke(steps[i].Name, StepMark.Started, "");
            try
            {
                ct.ThrowIfCancellationRequested();
                state = await steps[i].RunAsync(state, ct);
            }
            catch (Exception e)
            {
                var reason = e as McpException ?? new McpException(e is OperationCanceledException ? "operation.cancelled" : "step.failed", e is OperationCanceledException ? "cancelled" : $"{e.GetType().Name}: {e.Message}", "", e);
                report?.Invoke(steps[i].Name, StepMark.Failed, reason.Message);
                await UndoAsync(entry, state, report);
                throw new StepFailedException(steps[i].Name, reason);
            }

            report?.Invoke(steps[i].Name, StepMark.Done, "");
        }

        journal.Close(entry.Id);
        return state;
    }

    private async Task UndoAsync(JournalEntry entry, TState state, Action<string, StepMark, string>? report)
    {
        for (var i = entry.Step; i >= 0; i--)
        {
            journal.Save(entry with { Step = i, Undoing = true, State = write(state) });
            using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(2));
            await steps[i].UndoAsync(state, limit.Token);
            report?.Invoke(steps[i].Name, StepMark.Undone, "");
        }

        journal.Close(entry.Id);
    }
}
