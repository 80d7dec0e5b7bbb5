using Mcp.Daemon.Doors;
using Mcp.Daemon.Storage;
using Mcp.Model.Events;
using Microsoft.Data.Sqlite;

namespace Mcp.Daemon.Events;

public sealed record KeptEvent(long Id, DateTimeOffset Time, string Service, string Component, EventKind Kind, string Detail);

/// <summary>What happened, the newest 10,000.</summary>
public sealed class EventsTable(Database database, TimeProvider time)
{
    private const int Kept = 10_000;

    /// <summary>Raised after an event was written, on the thread that wrote it.</summary>
    public event Action<KeptEvent>? Added;

    /// <param name="service">Empty: it is of no service.</param>
    /// <param name="component">Empty: it is of the whole service.</param>
    /// <param name="detail">For people: what, and why.</param>
    public void Add(string service, string component, EventKind kind, string detail)
    {
        // Some are another program's words.
        detail = Texts.Cut(detail);
        var now = time.GetUtcNow();
        var id = database.Note(connection =>
        {
            var id = (long)connection.Scalar("""
                INSERT INTO events (time, service, component, kind, detail)
                VALUES (@time, @service, @component, @kind, @detail) RETURNING id
                """,
                ("time", now.ToText()),
                ("service", service),
                ("component", component),
                ("kind", kind.Text),
                ("detail", detail))!;
            connection.Run("DELETE FROM events WHERE id <= @id - @kept", ("id", id), ("kept", Kept));
            return id;
        });
        Added?.Invoke(new KeptEvent(id, now, service, component, kind, detail));
    }

    public List<KeptEvent> After(long id, int most)
    {
        using var connection = database.Connect();
        return connection.Query(
            "SELECT id, time, service, component, kind, detail FROM (SELECT * FROM events WHERE id > @id ORDER BY id DESC LIMIT @most) "
                + "ORDER BY id",
            Read,
            ("id", id),
            ("most", most));
    }

    /// <summary>All of these kinds, the oldest first.</summary>
    public List<KeptEvent> Of(IReadOnlyCollection<EventKind> kinds)
    {
        using var connection = database.Connect();
        return connection.Query(
            "SELECT id, time, service, component, kind, detail FROM events WHERE instr(@kinds, ' ' || kind || ' ') > 0 ORDER BY id",
            Read,
            ("kinds", $" {string.Join(' ', kinds)} "));
    }

    private static KeptEvent Read(SqliteDataReader row) => new(
        row.GetInt64(0),
        TimeText.Read(row.GetString(1)),
        row.GetString(2),
        row.GetString(3),
        EventKind.Of(row.GetString(4)),
        row.GetString(5));
}
