using Mcp.Daemon.Operations;

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
        var e = await Assert.ThrowsAsync<StepFailedException>(() => Runner(world, journal, s_names[failing]).RunAsync(Entry(), null, CancellationToken.None));
        Assert.Equal(s_names[failing], e.Step);
        Assert.Empty(world);
        Assert.Empty(journal.Open());
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task Killed_at_any_journal_write_it_is_finished_afterwards(int write)
    {
        var world = new HashSet<string>();
        var journal = new MemoryJournal { DieAt = write };
        await Assert.ThrowsAnyAsync<Exception>(() => Runner(world, journal, null).RunAsync(Entry(), null, CancellationToken.None));
        journal.DieAt = 0;
        var left = journal.Open();
        if (left.Count > 0)
        {
            await Runner(world, journal, null).RunAsync(left[0], null, CancellationToken.None);
            Assert.Equal(3, world.Count);
        }
        else
        {
            Assert.Empty(world);
        }

        Assert.Empty(journal.Open());
    }

    private static JournalEntry Entry() => new(Guid.NewGuid(), "deploy", "blog", 0, false, "s");

    private static OperationRunner<string> Runner(HashSet<string> world, MemoryJournal journal, string? failing) =>
        new([.. s_names.Select(n => new WorldStep(n, world, n == failing))], journal, s => s, s => s);

    private sealed class WorldStep(string name, HashSet<string> world, bool fails) : IStep<string>
    {
        public string Name => name;

        public Task<string> RunAsync(string state, CancellationToken ct)
        {
            world.Add(name);
            return fails ? throw new InvalidOperationException("broken") : Task.FromResult(state);
        }

        public Task UndoAsync(string state, CancellationToken ct)
        {
            world.Remove(name);
            return Task.CompletedTask;
        }
    }

    private sealed class MemoryJournal : IJournal
    {
        private readonly Dictionary<Guid, JournalEntry> _entries = [];
        private int _writes;

        public int DieAt { get; set; }

        public void Save(JournalEntry entry)
        {
            if (++_writes == DieAt)
                throw new OperationCanceledException("killed");
            _entries[entry.Id] = entry;
        }

        public void Close(Guid id) => _entries.Remove(id);

        public IReadOnlyList<JournalEntry> Open() => [.. _entries.Values];
    }
}
