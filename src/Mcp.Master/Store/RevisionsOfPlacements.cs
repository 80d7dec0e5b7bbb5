using System.Text.Json;
using System.Text.Json.Nodes;
using Mcp.Daemon.Revisions;
using Mcp.Daemon.Storage;
using Mcp.Model.Revisions;
using Microsoft.Data.Sqlite;

namespace Mcp.Master.Store;

/// <summary>Migration 6: what versions before 0.3 stored as service files, in placements, journals and leftovers, becomes revisions. What
/// is damaged stays as it is, and is seen as that.</summary>
internal static class RevisionsOfPlacements
{
    public const int Number = 6;

    public static void Convert(SqliteConnection connection)
    {
        var placements = connection.Query(
            "SELECT service, definition, updated_at FROM placements",
            r => (r.GetString(0), r.GetString(1), r.GetString(2)));
        foreach (var (service, toml, time) in placements)
        {
            var revision = Revision.Legacy(toml);
            RevisionsTable.Keep(connection, revision, time);
            connection.Run(
                "UPDATE placements SET revision = @revision WHERE service = @service",
                ("revision", revision.Id),
                ("service", service));
        }

        connection.Run("ALTER TABLE placements DROP COLUMN definition");
        Convert(connection, "operations", "subject");
        Convert(connection, "leftovers", "service");
    }

    private static void Convert(SqliteConnection connection, string table, string subject)
    {
        foreach (var (row, service, state) in connection.Query(
            $"SELECT rowid, {subject}, state FROM {table}",
            r => (r.GetInt64(0), r.GetString(1), r.GetString(2))))
        {
            if (Converted(service, state) is { } converted)
                connection.Run($"UPDATE {table} SET state = @state WHERE rowid = @row", ("state", converted), ("row", row));
        }
    }

    // Null: it stays as it is. Those versions wrote "" for none.
    private static string? Converted(string service, string state)
    {
        try
        {
            if (JsonNode.Parse(state) is not JsonObject deployment)
                return null;
            foreach (var (key, value) in deployment.ToList())
            {
                if (value is JsonValue text && text.TryGetValue<string>(out var none) && none.Length == 0)
                    deployment.Remove(key);
            }

            deployment["Name"] = service;
            if (deployment["Definition"] is JsonValue definition && definition.TryGetValue<string>(out var toml))
                deployment["Definition"] = Revision.Legacy(toml).Body;
            return deployment.ToJsonString();
        }
        catch (Exception e) when (e is JsonException or ArgumentException)
        {
            return null;
        }
    }
}
