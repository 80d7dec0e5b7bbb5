using Mcp.Daemon.Storage;
using Mcp.Model.Names;

namespace Mcp.Agent.Registry;

/// <summary>The last generation that was given to each component: each number once, also after a failed deploy or an undeploy.
/// Logs and names depend on it.</summary>
public sealed class GenerationsTable(Database database)
{
    /// <summary>The last one given, or what the component's row says; 0: none.</summary>
    public int Last(Label service, Label component)
    {
        using var connection = database.Connect();
        var last = connection.Scalar("""
            SELECT MAX(COALESCE((SELECT last FROM generations WHERE service = @service AND component = @component), 0),
                       COALESCE((SELECT generation FROM components WHERE service = @service AND name = @component), 0))
            """,
            ("service", service.Text), ("component", component.Text));
        return last is long number ? (int)Math.Clamp(number, 0, InstanceName.MostGenerations) : 0;
    }

    /// <summary>Written down as given.</summary>
    public void Give(Label service, Label component, int generation)
    {
        database.Write(connection => connection.Run("""
            INSERT INTO generations (service, component, last) VALUES (@service, @component, @last)
            ON CONFLICT (service, component) DO UPDATE SET last = MAX(last, @last)
            """,
            ("service", service.Text),
            ("component", component.Text),
            ("last", generation)));
    }
}
