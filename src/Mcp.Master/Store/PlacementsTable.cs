using System.Collections.Concurrent;
using Mcp.Daemon.Revisions;
using Mcp.Daemon.Storage;
using Mcp.Master.Deploy.Steps;
using Mcp.Model.Definition;
using Mcp.Model.Errors;
using Mcp.Model.Names;
using Mcp.Model.Revisions;
using Microsoft.Data.Sqlite;

namespace Mcp.Master.Store;

public sealed class PlacementsTable(Database database, TimeProvider time)
{
    private const string Rows =
        "SELECT service, node, target, revision, body FROM placements LEFT JOIN revisions ON revisions.id = placements.revision";
    private const int MostRead = 4096;

    // Reconcilers ask for all of them every few seconds, and a revision never changes.
    private readonly ConcurrentDictionary<string, Revision> _read = new();

    public List<Placement> List()
    {
        using var connection = database.Connect();
        return List(connection).ConvertAll(Remembered);
    }

    public Placement? Find(Label service)
    {
        using var connection = database.Connect();
        return Find(connection, service) is { } there ? Remembered(there) : null;
    }

    /// <summary>How many services each node has or is about to have.</summary>
    public Dictionary<string, int> Counts()
    {
        using var connection = database.Connect();
        var counts = connection.Query(
            "SELECT COALESCE(target, node), COUNT(*) FROM placements GROUP BY 1",
            r => (r.GetString(0), r.GetInt32(1)));
        return counts.ToDictionary();
    }

    /// <summary>Before anything of it is touched there; its hostnames belong to it from now on.
    /// What an earlier deploy may have left at another target is to be removed.</summary>
    /// <exception cref="McpException">route.taken.
    /// node.unknown, node.cordoned: the node was removed or cordoned since it was chosen.</exception>
    public void Reserve(ServiceDefinition service, Label target, Revision revision) => database.Write(connection =>
    {
        var there = Find(connection, service.Name);
        RequireNode(connection, target, mayBeCordoned: there?.Holds(target) == true);
        if (there is { Target: { } given } && given != target && given != there.Node)
        {
            var copy = Leftover.Copy(AgentStep.StepName, service.Name, given, "the service went elsewhere");
            LeftoversTable.Add(connection, copy, time.NowText());
        }

        RevisionsTable.Keep(connection, revision, time.NowText());
        connection.Run(
            """
            INSERT INTO placements (service, target, revision, updated_at) VALUES (@service, @target, @revision, @now)
            ON CONFLICT (service) DO UPDATE
            SET target = @target, revision = CASE WHEN node IS NULL THEN @revision ELSE revision END, updated_at = @now
            """,
            ("service", service.Name.Text),
            ("target", target.Text),
            ("revision", revision.Id),
            ("now", time.NowText()));
        HostnamesTable.Claim(connection, service);
    });

    /// <summary>The target refused it: back to where it was, or to nowhere.</summary>
    /// <param name="half">An earlier deploy may have come to something at the target: it is removed there, or,
    /// of a service that is nowhere else, stays bound to it.</param>
    public void Release(Label service, bool half) => database.Write(connection =>
    {
        if (Find(connection, service) is not { Target: { } target } there || (half && there.Node is null))
            return;
        if (half && target != there.Node)
        {
            var copy = Leftover.Copy(AgentStep.StepName, service, target, "the service stayed where it was");
            LeftoversTable.Add(connection, copy, time.NowText());
        }

        connection.Run("DELETE FROM placements WHERE service = @service AND node IS NULL", ("service", service.Text));
        connection.Run("UPDATE placements SET target = NULL WHERE service = @service", ("service", service.Text));
        // The hostnames of one that cannot be read stay its own.
        if (there.Node is not null && there.TryRead() is { } stored)
            HostnamesTable.Settle(connection, stored);
    });

    /// <summary>An agent has accepted it: from now on it is there, with this definition.
    /// The copy on the node where it was is kept in mind until the names have moved. Safe to repeat.</summary>
    /// <exception cref="McpException">route.taken. node.unknown: the node was removed meanwhile.</exception>
    public void Accept(ServiceDefinition service, Label node, Revision revision) => database.Write(connection =>
    {
        RequireNode(connection, node, mayBeCordoned: true);
        if (Find(connection, service.Name)?.Node is { } from && from != node)
        {
            LeftoversTable.RemoveCopies(connection, service.Name, from);
            var copy = Leftover.Copy(LeaveStep.StepName, service.Name, from, $"its names have not moved to {node} yet");
            LeftoversTable.Add(connection, copy, time.NowText());
        }

        LeftoversTable.RemoveCopies(connection, service.Name, node);
        RevisionsTable.Keep(connection, revision, time.NowText());
        connection.Run(
            """
            INSERT INTO placements (service, node, revision, updated_at) VALUES (@service, @node, @revision, @now)
            ON CONFLICT (service) DO UPDATE SET node = @node, target = NULL, revision = @revision, updated_at = @now
            """,
            ("service", service.Name.Text),
            ("node", node.Text),
            ("revision", revision.Id),
            ("now", time.NowText()));
        HostnamesTable.Settle(connection, service);
    });

    /// <summary>A node goes for good: what is on it is forgotten, what was leaving it is only where it was going,
    /// what was going there stays where it is.</summary>
    /// <returns>The services that are forgotten.</returns>
    internal static List<Label> Forget(SqliteConnection connection, Label node)
    {
        var onlyThere = List(connection).FindAll(p => p.Holds(node) && (p.Node ?? node) == node && (p.Target ?? node) == node);
        var forgotten = onlyThere.ConvertAll(p => p.Service);
        foreach (var service in forgotten)
            connection.Run("DELETE FROM placements WHERE service = @service", ("service", service.Text));
        connection.Run("UPDATE placements SET target = NULL WHERE target = @node AND node IS NOT NULL", ("node", node.Text));
        connection.Run("UPDATE placements SET node = NULL WHERE node = @node AND target IS NOT NULL", ("node", node.Text));
        return forgotten;
    }

    internal static List<Placement> List(SqliteConnection connection) =>
        connection.QueryEach($"{Rows} ORDER BY service", Read);

    public void Remove(Label service)
    {
        database.Write(connection => connection.Run("DELETE FROM placements WHERE service = @service", ("service", service.Text)));
    }

    private static Placement? Find(SqliteConnection connection, Label service) =>
        connection.Query($"{Rows} WHERE service = @service", Read, ("service", service.Text)).FirstOrDefault();

    private static void RequireNode(SqliteConnection connection, Label node, bool mayBeCordoned)
    {
        if (connection.Scalar("SELECT cordoned FROM nodes WHERE name = @name", ("name", node.Text)) is not long cordoned)
        {
            throw new McpException(
                ErrorCode.NodeUnknown,
                $"the node {node} was removed meanwhile",
                "mcp node list shows those that are there");
        }

        if (cordoned != 0 && !mayBeCordoned)
        {
            throw new McpException(
                ErrorCode.NodeCordoned,
                $"the node {node} was cordoned meanwhile",
                $"deploy again: another node is chosen; or mcp node uncordon {node}");
        }
    }

    private Placement Remembered(Placement there)
    {
        if (_read.Count > MostRead)
            _read.Clear();
        return there with { Revision = _read.GetOrAdd(there.Revision.Id, there.Revision) };
    }

    private static Placement Read(SqliteDataReader r) => new(
        Label.Parse(r.GetString(0)),
        r.IsDBNull(1) ? null : Label.Parse(r.GetString(1)),
        r.IsDBNull(2) ? null : Label.Parse(r.GetString(2)),
        r.IsDBNull(3) || r.IsDBNull(4) ? Revision.Stored("") : Revision.Stored(r.GetString(3), r.GetString(4)));
}
