using System.Globalization;
using Mcp.Daemon.Storage;

namespace Mcp.Master.Store;

/// <summary>Something that could not be removed and still is to be.</summary>
/// <param name="Step">The deploy step whose undo is due.</param>
/// <param name="State">The operation's state as JSON.</param>
public sealed record Leftover(string Step, string Service, string Node, string State, string Error);

public sealed class LeftoversTable(Database database, TimeProvider time)
{
    public List<Leftover> List()
    {
        using var connection = database.Connect();
        return connection.Query("SELECT step, service, node, state, error FROM leftovers ORDER BY created_at", r => new Leftover(r.GetString(0), r.GetString(1), r.GetString(2), r.GetString(3), r.GetString(4)));
    }

    public void Add(Leftover leftover)
    {
        using var connection = database.Connect();
        connection.Run("INSERT INTO leftovers (step, service, node, state, error, created_at) VALUES (@step, @service, @node, @state, @error, @now) ON CONFLICT (step, service, node) DO UPDATE SET state = @state, error = @error",
            ("step", leftover.Step), ("service", leftover.Service), ("node", leftover.Node), ("state", leftover.State), ("error", leftover.Error), ("now", time.GetUtcNow().ToString("O", CultureInfo.InvariantCulture)));
    }

    public void Remove(string step, string service, string node)
    {
        using var connection = database.Connect();
        connection.Run("DELETE FROM leftovers WHERE step = @step AND service = @service AND node = @node", ("step", step), ("service", service), ("node", node));
    }
}
