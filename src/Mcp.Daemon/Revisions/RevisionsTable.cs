using Mcp.Daemon.Storage;
using Mcp.Model.Revisions;
using Microsoft.Data.Sqlite;

namespace Mcp.Daemon.Revisions;

/// <summary>The bodies of revisions, each once; kept for as long as a row of another table names them.</summary>
public static class RevisionsTable
{
    /// <summary>In a write, before the row that names it.</summary>
    public static void Keep(SqliteConnection connection, Revision revision, string now) => connection.Run(
        "INSERT INTO revisions (id, body, made_at) VALUES (@id, @body, @now) ON CONFLICT (id) DO NOTHING",
        ("id", revision.Id),
        ("body", revision.Body),
        ("now", now));

    /// <returns>Null: nothing names it any more.</returns>
    public static Revision? Find(SqliteConnection connection, string id) => connection.Query(
        "SELECT body FROM revisions WHERE id = @id",
        r => Revision.Stored(id, r.GetString(0)),
        ("id", id)).FirstOrDefault();
}
