using Mcp.Daemon.Revisions;
using Mcp.Daemon.Storage;
using Microsoft.Data.Sqlite;

namespace Mcp.Daemon.Operations;

/// <summary>The journal: one row an operation that has begun and not ended.</summary>
public sealed class OperationsTable(Database database, TimeProvider time) : IJournal
{
    private readonly UndoMarks _marks = new(Path.Combine(Path.GetDirectoryName(database.File)!, "undoing"));

    private bool _isSwept;

    public void Prepare(Guid id) => _marks.Prepare(id);

    public void MarkUndoing(Guid id) => _marks.Mark(id);

    public void Save(JournalEntry entry) => database.Write(connection => Save(connection, entry, time.NowText()));

    public void Close(Guid id, Outcome outcome, string why = "")
    {
        database.Write(connection =>
        {
            connection.Run("DELETE FROM operations WHERE id = @id", ("id", id.ToString()));
            ReleasesTable.End(connection, id, outcome, why, time.NowText());
        });
        _marks.Remove(id);
    }

    public IReadOnlyList<JournalEntry> Open()
    {
        var open = Read();
        if (Interlocked.Exchange(ref _isSwept, true))
            return open;
        // A kill may have left one of an operation that is over.
        _marks.Keep(open.Select(e => e.Id));
        return open;
    }

    private List<JournalEntry> Read()
    {
        using var connection = database.Connect();
        return connection.QueryEach("SELECT id, kind, subject, step, undoing, state, why FROM operations ORDER BY updated_at",
            r => new JournalEntry(
                Guid.Parse(r.GetString(0)),
                r.GetString(1),
                r.GetString(2),
                r.GetInt32(3),
                r.GetBoolean(4) || _marks.IsMarked(Guid.Parse(r.GetString(0))),
                r.GetString(5))
            {
                Why = r.GetString(6),
            });
    }

    internal static void Save(SqliteConnection connection, JournalEntry entry, string now) => connection.Run(
        """
        INSERT INTO operations (id, kind, subject, step, undoing, state, why, updated_at)
        VALUES (@id, @kind, @subject, @step, @undoing, @state, @why, @now)
        ON CONFLICT (id) DO UPDATE
        SET kind = @kind, step = @step, undoing = @undoing, state = @state, why = @why, updated_at = @now
        """,
        ("id", entry.Id.ToString()),
        ("kind", entry.Kind),
        ("subject", entry.Subject),
        ("step", entry.Step),
        ("undoing", entry.Undoing),
        ("state", entry.State),
        ("why", entry.Why),
        ("now", now));

}
