using System.Globalization;
using Mcp.Daemon.Storage;

namespace Mcp.Agent.Registry;

public sealed record RegistryEvent(long Id, DateTimeOffset Time, string Service, string Component, string Kind, string Detail);

/// <summary>What happened, the newest 10,000.</summary>
public sealed class EventsTable(Database database, TimeProvider time)
{
    private const int Kept = 10_000;

    public void Add(string service, string component, string kind, string detail)
    {
        using var connection = database.Connect();
        connection.Run("INSERT INTO events (time, service, component, kind, detail) VALUES (@time, @service, @component, @kind, @detail)",
            ("time", time.GetUtcNow().ToString("O", CultureInfo.InvariantCulture)), ("service", service), ("component", component), ("kind", kind), ("detail", detail));
        connection.Run("DELETE FROM events WHERE id <= (SELECT max(id) FROM events) - @kept", ("kept", Kept));
    }

    public List<RegistryEvent> After(long id, int most)
    {
        using var connection = database.Connect();
        return connection.Query("SELECT id, time, service, component, kind, detail FROM (SELECT * FROM events WHERE id > @id ORDER BY id DESC LIMIT @most) ORDER BY id",
            r => new RegistryEvent(r.GetInt64(0), DateTimeOffset.Parse(r.GetString(1), CultureInfo.InvariantCulture), r.GetString(2), r.GetString(3), r.GetString(4), r.GetString(5)),
            ("id", id), ("most", most));
    }
}
