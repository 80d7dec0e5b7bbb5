using System.Globalization;
using Mcp.Daemon.Storage;

namespace Mcp.Daemon.Operations;

/// <summary>The journal: one row an operation that has begun and not ended.</summary>
public sealed class OperationsTable(Database database, TimeProvider time) : IJournal
{
    public void Save(JournalEntry entry)
    {
        database.Write(connection => connection.Run("""
            INSERT INTO operations (id, kind, subject, step, undoing, state, updated_at)
            VALUES (@id, @kind, @subject, @step, @undoing, @state, @now)
            ON CONFLICT (id) DO UPDATE SET kind = @kind, step = @step, undoing = @undoing, state = @state, updated_at = @now
            """,
            ("id", entry.Id.ToString()),
            ("kind", entry.Kind),
            ("subject", entry.Subject),
            ("step", entry.Step),
            ("undoing", entry.Undoing),
            ("state", entry.State),
            ("now", time.GetUtcNow().ToString("O", CultureInfo.InvariantCulture))));
    }

    public void Close(Guid id)
    {
        database.Write(connection => connection.Run("DELETE FROM operations WHERE id = @id", ("id", id.ToString())));
    }

    public IReadOnlyList<JournalEntry> Open()
    {
        using var connection = database.Connect();
        return connection.Query("SELECT id, kind, subject, step, undoing, state FROM operations ORDER BY updated_at",
            r => new JournalEntry(
                Guid.Parse(r.GetString(0)),
                r.GetString(1),
                r.GetString(2),
                r.GetInt32(3),
                r.GetBoolean(4),
                r.GetString(5)));
    }
}
