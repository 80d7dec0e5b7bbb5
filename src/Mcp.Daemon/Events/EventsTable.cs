using System.Globalization;
using Mcp.Daemon.Doors;
using Mcp.Daemon.Storage;

namespace Mcp.Daemon.Events;

public sealed record KeptEvent(long Id, DateTimeOffset Time, string Service, string Component, string Kind, string Detail);

/// <summary>What happened, the newest 10,000.</summary>
public sealed class EventsTable(Database database, TimeProvider time)
{
    private const int Kept = 10_000;

    /// <summary>Raised after an event was written, on the thread that wrote it.</summary>
    public event Action<KeptEvent>? Added;

    public void Add(string service, string component, string kind, string detail)
    {
        // Some are another program's words.
        detail = Texts.Cut(detail);
        var now = time.GetUtcNow();
        var id = database.Note(connection =>
        {
            var id = (long)connection.Scalar("""
                INSERT INTO events (time, service, component, kind, detail) VALUES (@time, @service, @component, @kind, @detail) RETURNING id
                """,
                ("time", now.ToString("O", CultureInfo.InvariantCulture)),
                ("service", service),
                ("component", component),
                ("kind", kind),
                ("detail", detail))!;
            connection.Run("DELETE FROM events WHERE id <= @id - @kept", ("id", id), ("kept", Kept));
            return id;
        });
        Added?.Invoke(new KeptEvent(id, now, service, component, kind, detail));
    }

    public List<KeptEvent> After(long id, int most)
    {
        using var connection = database.Connect();
        return connection.Query("SELECT id, time, service, component, kind, detail FROM (SELECT * FROM events WHERE id > @id ORDER BY id DESC LIMIT @most) ORDER BY id",
            r => new KeptEvent(r.GetInt64(0), DateTimeOffset.Parse(r.GetString(1), CultureInfo.InvariantCulture), r.GetString(2), r.GetString(3), r.GetString(4), r.GetString(5)),
            ("id", id), ("most", most));
    }
}
