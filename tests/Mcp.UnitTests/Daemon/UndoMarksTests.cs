using Mcp.Agent.Registry;
using Mcp.Daemon.Operations;

namespace Mcp.UnitTests.Daemon;

/// <summary>An undo that the journal could not write down is one after a kill, too.</summary>
public sealed class UndoMarksTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("mcp-marks").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public void What_was_marked_is_being_undone_for_whoever_opens_the_journal_next()
    {
        var (undone, other) = (Entry(), Entry("shop"));
        using (var registry = Open())
        {
            foreach (var entry in (JournalEntry[])[undone, other])
            {
                registry.Operations.Save(entry);
                registry.Operations.Prepare(entry.Id);
            }

            registry.Operations.MarkUndoing(undone.Id);
        }

        using var again = Open();
        Assert.Equal([undone.Id], again.Operations.Open().Where(e => e.Undoing).Select(e => e.Id));
        Assert.Equal(2, again.Operations.Open().Count);
        again.Operations.Close(undone.Id, Outcome.Undone);
        again.Operations.Close(other.Id, Outcome.Done);
        Assert.Empty(Directory.EnumerateFileSystemEntries(Path.Combine(_directory, "undoing")));
    }

    [Fact]
    public void What_a_kill_left_of_one_that_is_over_goes()
    {
        var over = Entry();
        new UndoMarks(Path.Combine(_directory, "undoing")).Prepare(over.Id);
        using var registry = Open();
        Assert.Empty(registry.Operations.Open());
        Assert.Empty(Directory.EnumerateFileSystemEntries(Path.Combine(_directory, "undoing")));
    }

    // Nothing was prepared: the disk was full before.
    [Fact]
    public void A_mark_that_cannot_be_made_is_none()
    {
        using var registry = Open();
        var entry = Entry();
        registry.Operations.Save(entry);
        registry.Operations.MarkUndoing(entry.Id);
        Assert.False(Assert.Single(registry.Operations.Open()).Undoing);
    }

    private AgentRegistry Open() => AgentRegistry.Open(Path.Combine(_directory, "registry.db"), TimeProvider.System);

    private static JournalEntry Entry(string service = "blog") => new(Guid.NewGuid(), "deploy", service, 0, false, "{}");
}
