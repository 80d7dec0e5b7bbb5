using Mcp.Daemon.Storage;
using Mcp.Master.Deploy;
using Mcp.Master.Deploy.Steps;
using Mcp.Model.Names;
using Microsoft.Data.Sqlite;

namespace Mcp.Master.Store;

/// <summary>Something that could not be removed and still is to be.</summary>
/// <param name="Step">The deploy step whose undo is due; "leave": the copy of a service that moved, once its names have moved, too.</param>
/// <param name="State">The operation's state as JSON.</param>
public sealed record Leftover(string Step, string Service, string Node, string State, string Error)
{
    /// <summary>An instance of the service on the node, as opposed to its names and routes.</summary>
    public bool IsCopy => Step is AgentStep.StepName or LeaveStep.StepName;

    /// <summary>A service's instances on a node where it is not to be.</summary>
    public static Leftover Copy(string step, Label service, Label node, string why) =>
        new(step, service.Text, node.Text, FleetDeployment.Write(FleetDeployment.Removal(service, null, node)), why);
}

public sealed class LeftoversTable(Database database, TimeProvider time)
{
    private const string Columns = "step, service, node, state, error";

    public List<Leftover> List()
    {
        using var connection = database.Connect();
        return connection.QueryEach($"SELECT {Columns} FROM leftovers ORDER BY created_at", Read);
    }

    /// <summary>The service's instances that are still to be removed somewhere.</summary>
    public List<Leftover> CopiesOf(Label service)
    {
        using var connection = database.Connect();
        var left = connection.QueryEach(
            $"SELECT {Columns} FROM leftovers WHERE service = @service ORDER BY created_at",
            Read,
            ("service", service.Text));
        return left.FindAll(l => l.IsCopy);
    }

    /// <summary>What runs of the service on this node, if anything, is an old copy that is still to be removed,
    /// not what was asked for there last.</summary>
    /// <returns>False where the service is; it may be going there.</returns>
    public bool IsLeftAt(Label service, string node)
    {
        using var connection = database.Connect();
        return connection.Scalar("""
            SELECT 1 FROM leftovers WHERE service = @service AND node = @node AND step IN (@deploy, @leave)
            AND NOT EXISTS (SELECT 1 FROM placements WHERE service = @service AND node = @node)
            """, ("service", service.Text), ("node", node), ("deploy", AgentStep.StepName), ("leave", LeaveStep.StepName)) is not null;
    }

    public void Add(Leftover leftover)
    {
        database.Write(connection => Add(connection, leftover, time.NowText()));
    }

    public void Remove(string step, string service, string node)
    {
        database.Write(connection => Remove(connection, step, service, node));
    }

    /// <summary>There is none on this node any more.</summary>
    public void RemoveCopies(Label service, Label node)
    {
        database.Write(connection => RemoveCopies(connection, service, node));
    }

    /// <summary>Nothing keeps the copy of a service that moved from being removed any more.</summary>
    public void MayLeave(Leftover copy) => database.Write(connection =>
    {
        Add(connection, copy with { Step = AgentStep.StepName }, time.NowText());
        Remove(connection, LeaveStep.StepName, copy.Service, copy.Node);
    });

    internal static void Add(SqliteConnection connection, Leftover leftover, string now) => connection.Run("""
        INSERT INTO leftovers (step, service, node, state, error, created_at) VALUES (@step, @service, @node, @state, @error, @now)
        ON CONFLICT (step, service, node) DO UPDATE SET state = @state, error = @error WHERE state <> @state OR error <> @error
        """,
        ("step", leftover.Step),
        ("service", leftover.Service),
        ("node", leftover.Node),
        ("state", leftover.State),
        ("error", leftover.Error),
        ("now", now));

    private static void Remove(SqliteConnection connection, string step, string service, string node) => connection.Run(
        "DELETE FROM leftovers WHERE step = @step AND service = @service AND node = @node",
        ("step", step),
        ("service", service),
        ("node", node));

    internal static void RemoveCopies(SqliteConnection connection, Label service, Label node) =>
        connection.Run("DELETE FROM leftovers WHERE service = @service AND node = @node AND step IN (@deploy, @leave)",
            ("service", service.Text), ("node", node.Text), ("deploy", AgentStep.StepName), ("leave", LeaveStep.StepName));

    // A node is not named where it is not known.
    private static Leftover Read(SqliteDataReader r) => new(
        r.GetString(0),
        Label.Parse(r.GetString(1)).Text,
        r.GetString(2) is { Length: > 0 } node ? Label.Parse(node).Text : "",
        r.GetString(3),
        r.GetString(4));

}
