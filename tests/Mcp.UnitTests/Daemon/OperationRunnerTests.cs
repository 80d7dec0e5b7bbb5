using Grpc.Core;
using Mcp.Daemon.Errors;
using Mcp.Daemon.Operations;
using Mcp.Model.Errors;

namespace Mcp.UnitTests.Daemon;

/// <summary>The fault matrix: every step fails after its side effect, and is killed at every journal write.</summary>
public class OperationRunnerTests
{
    private static readonly string[] s_names = ["pull", "start", "switch"];

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    public async Task A_failure_at_any_step_leaves_the_world_as_it_was(int failing)
    {
        var world = new HashSet<string>();
        var journal = new MemoryJournal();
        var e = await Assert.ThrowsAsync<StepFailedException>(() => Runner(world, journal, s_names[failing]).RunAsync(
            Entry(),
            null,
            CancellationToken.None));
        Assert.Equal(s_names[failing], e.Step);
        Assert.Empty(world);
        Assert.Empty(journal.Open());
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public async Task Killed_at_any_journal_write_it_is_finished_afterwards(int write)
    {
        var world = new HashSet<string>();
        var journal = new MemoryJournal { KilledAt = write };
        await Assert.ThrowsAnyAsync<Exception>(() => Runner(world, journal, null).RunAsync(Entry(), null, CancellationToken.None));
        journal.KilledAt = 0;
        foreach (var left in journal.Open())
            await Runner(world, journal, null).RunAsync(left, null, CancellationToken.None);
        Assert.Equal(write == 1 ? 0 : 3, world.Count);
        Assert.Empty(journal.Open());
    }

    [Fact]
    public async Task A_journal_that_cannot_be_written_leaves_nothing_done_and_says_that_the_entry_is_left()
    {
        var world = new HashSet<string>();
        var journal = new MemoryJournal { FullFrom = 3 };
        var e = await Assert.ThrowsAsync<StepFailedException>(() => Runner(world, journal, null).RunAsync(
            Entry(),
            null,
            CancellationToken.None));
        Assert.False(e.Undone);
        Assert.Empty(world);
        journal.FullFrom = int.MaxValue;
        await Runner(world, journal, null).RunAsync(Assert.Single(journal.Open()), null, CancellationToken.None);
        Assert.Empty(world);
        Assert.Empty(journal.Open());
    }

    [Fact]
    public async Task Where_a_failure_stops_it_the_steps_before_stand_the_later_ones_do_not_run_and_it_is_over()
    {
        var (world, journal) = (new HashSet<string>(), new MemoryJournal());
        var e = await Assert.ThrowsAsync<StepFailedException>(() => Runner(world, journal, "start", OnFailure.Stop).RunAsync(
            Entry(),
            null,
            CancellationToken.None));
        Assert.Equal("start", e.Step);
        Assert.Contains("kept", e.Aftermath, StringComparison.Ordinal);
        Assert.Equal(["pull", "start"], world.Order());
        Assert.Empty(journal.Open());
    }

    [Fact]
    public async Task Where_a_failure_goes_on_the_later_steps_run_and_every_failure_is_told()
    {
        var (world, journal, told) = (new HashSet<string>(), new MemoryJournal(), new List<string>());
        await Runner(world, journal, "start", OnFailure.GoOn).RunAsync(
            Entry(),
            (step, mark, _) => told.Add($"{step} {mark}"),
            CancellationToken.None);
        Assert.Contains("switch", world);
        Assert.Equal(["start Failed"], told.Where(t => t.EndsWith("Failed", StringComparison.Ordinal)));
        Assert.Empty(journal.Open());
    }

    [Theory]
    [InlineData(OnFailure.Stop)]
    [InlineData(OnFailure.GoOn)]
    public async Task One_that_is_cancelled_stays_in_the_journal_and_goes_on_later(OnFailure onFailure)
    {
        var (world, journal) = (new HashSet<string>(), new MemoryJournal());
        using var stop = new CancellationTokenSource();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Runner(
            world,
            journal,
            null,
            onFailure).RunAsync(Entry(), (step, mark, _) =>
        {
            if (step == "pull" && mark == StepMark.Done)
                stop.Cancel();
        }, stop.Token));
        Assert.Equal(["pull"], world);
        await Runner(world, journal, null, onFailure).RunAsync(Assert.Single(journal.Open()), null, CancellationToken.None);
        Assert.Equal(3, world.Count);
        Assert.Empty(journal.Open());
    }

    public static TheoryData<Exception, string, string> Failures => new()
    {
        { new McpException(ErrorCode.ImagePull, "cannot pull", "look"), "image.pull", "cannot pull" },
        { new IOException("the socket is gone"), "step.failed", "the socket is gone" },
        { new System.Net.Sockets.SocketException(111), "step.failed", "Connection refused" },
        { new RpcException(new Status(StatusCode.Unavailable, "away")), "step.failed", "away" },
        { new Microsoft.Data.Sqlite.SqliteException("full", 13), "disk.full", "a disk of the machine" },
        { new Microsoft.Data.Sqlite.SqliteException("locked", 5), "registry.locked", "a database on the machine" },
        { new OperationCanceledException("a limit"), "operation.cancelled", "cancelled" },
        { new InvalidOperationException("never"), "step.failed", "InvalidOperationException: never" },
    };

    [Theory]
    [MemberData(nameof(Failures))]
    public async Task What_failed_is_told_in_its_own_words_and_only_a_fault_of_ours_by_its_type(
        Exception failure,
        string code,
        string words)
    {
        var runner = new OperationRunner<string>([new FailingStep(failure)], new MemoryJournal(), s => s, s => s);
        var e = await Assert.ThrowsAsync<StepFailedException>(() => runner.RunAsync(Entry(), null, CancellationToken.None));
        Assert.Equal(code, e.Reason.Code.Text);
        Assert.StartsWith(words, e.Reason.Message, StringComparison.Ordinal);
        Assert.Equal(failure is InvalidOperationException, e.Reason.Hint == FailureText.OurFault);
    }

    private static JournalEntry Entry() => new(Guid.NewGuid(), "deploy", "blog", 0, false, "s");

    private static OperationRunner<string> Runner(
        HashSet<string> world,
        MemoryJournal journal,
        string? failing,
        OnFailure onFailure = OnFailure.Undo) =>
        new([.. s_names.Select(n => new WorldStep(n, world, journal, n == failing))], journal, s => s, s => s, onFailure);

    private sealed class WorldStep(string name, HashSet<string> world, MemoryJournal journal, bool fails) : IStep<string>
    {
        public string Name => name;

        public Task<string> RunAsync(string state, IProgress<string> progress, CancellationToken ct)
        {
            journal.LiveOrThrow();
            world.Add(name);
            return fails ? throw new InvalidOperationException("broken") : Task.FromResult(state);
        }

        public Task UndoAsync(string state, CancellationToken ct)
        {
            journal.LiveOrThrow();
            world.Remove(name);
            return Task.CompletedTask;
        }
    }

    private sealed class FailingStep(Exception failure) : IStep<string>
    {
        public string Name => "fail";

        public Task<string> RunAsync(string state, IProgress<string> progress, CancellationToken ct) => throw failure;

        public Task UndoAsync(string state, CancellationToken ct) => Task.CompletedTask;
    }

    private sealed class MemoryJournal : IJournal
    {
        private readonly Dictionary<Guid, JournalEntry> _entries = [];
        private readonly HashSet<Guid> _prepared = [];
        private readonly HashSet<Guid> _marked = [];
        private int _writes;

        /// <summary>From this write on nothing happens any more, in the world neither; 0: never.</summary>
        public int KilledAt { get; set; }

        public int FullFrom { get; set; } = int.MaxValue;

        public void LiveOrThrow()
        {
            if (KilledAt > 0 && _writes >= KilledAt)
                throw new OperationCanceledException("killed");
        }

        public void Prepare(Guid id) => _prepared.Add(id);

        public void MarkUndoing(Guid id)
        {
            LiveOrThrow();
            if (_prepared.Contains(id))
                _marked.Add(id);
        }

        public void Save(JournalEntry entry)
        {
            Write();
            _entries[entry.Id] = entry;
        }

        /// <summary>What came of the last one.</summary>
        public (Outcome Outcome, string Why) Ended { get; private set; }

        public void Close(Guid id, Outcome outcome, string why = "")
        {
            Write();
            _entries.Remove(id);
            Ended = (outcome, why);
        }

        private void Write()
        {
            _writes++;
            LiveOrThrow();
            if (_writes >= FullFrom)
                throw new IOException("no space left");
        }

        public IReadOnlyList<JournalEntry> Open() =>
            [.. _entries.Values.Select(e => e with { Undoing = e.Undoing || _marked.Contains(e.Id) })];
    }
}
