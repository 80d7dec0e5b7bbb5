using Mcp.Daemon.Storage;
using Mcp.Model.Names;

namespace Mcp.Agent.Registry;

/// <summary>Components whose instance is being replaced stop-first: the node proxy lets their clients wait. Kept here, so that a killed
/// agent and a restarted proxy know it; a switch and an undo take it away with the rows they write.</summary>
public sealed class HoldsTable(Database database)
{
    public void Set(Label service, Label component)
    {
        database.Write(connection => connection.Run(
            "INSERT OR IGNORE INTO holds (service, component) VALUES (@service, @component)",
            ("service", service.Text),
            ("component", component.Text)));
    }

    public void Clear(Label service)
    {
        database.Write(connection => connection.Run("DELETE FROM holds WHERE service = @service", ("service", service.Text)));
    }

    public HashSet<(Label Service, Label Component)> All()
    {
        using var connection = database.Connect();
        var all = connection.QueryEach(
            "SELECT service, component FROM holds",
            r => Tuple.Create(Label.Parse(r.GetString(0)), Label.Parse(r.GetString(1))));
        return [.. all.Select(h => (h.Item1, h.Item2))];
    }
}
