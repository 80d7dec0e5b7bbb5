using System.Text.Json.Nodes;
using Mcp.Daemon.Storage;
using Mcp.Model.Definition;
using Mcp.Model.Errors;
using Mcp.Model.Instances;
using Mcp.Model.Revisions;
using Microsoft.Data.Sqlite;

namespace Mcp.Agent.Registry;

/// <summary>Migration 11: what versions before 0.3 stored as service files, in rows and in journals, becomes JSON. Nothing is lost: what
/// this version does not read whole is kept, and what is damaged stays as it is. The hashes stay, too: instances carry them.</summary>
internal static class DefinitionBodies
{
    public const int Number = 11;

    private const string Header = "[[components]]\n";

    public static void Convert(SqliteConnection connection)
    {
        foreach (var (id, text) in connection.Query("SELECT rowid, definition FROM components", r => (r.GetInt64(0), r.GetString(1))))
        {
            if (Body(text, toml => RevisionCodec.Write(RevisionCodec.LegacyComponent(toml))) is { } body)
                connection.Run("UPDATE components SET definition = @body WHERE rowid = @id", ("body", body), ("id", id));
        }

        foreach (var (id, state) in connection.Query(
            "SELECT id, state FROM operations WHERE kind IN ('deploy', 'rollout')",
            r => (r.GetString(0), r.GetString(1))))
        {
            if (Journal(state) is { } converted)
                connection.Run("UPDATE operations SET state = @state WHERE id = @id", ("state", converted), ("id", id));
        }
    }

    // Null: it stays as it is.
    private static string? Journal(string state)
    {
        try
        {
            if (JsonNode.Parse(state) is not JsonObject deployment)
                return null;
            NameRevisions(deployment);
            AddRows(deployment);
            foreach (var key in (string[])["Definition", "Previous"])
                Replace(deployment, key, toml => RevisionCodec.Write(RevisionCodec.LegacyService(toml)));
            foreach (var row in deployment["Before"] as JsonArray ?? [])
            {
                if (row is JsonObject before)
                    Replace(before, "Definition", toml => RevisionCodec.Write(RevisionCodec.LegacyComponent(toml)));
            }

            return deployment.ToJsonString();
        }
        catch (Exception e) when (e is System.Text.Json.JsonException or InvalidOperationException)
        {
            return null;
        }
    }

    // Whatever was started carries the hash of its component's text, as it stands in the file.
    private static void NameRevisions(JsonObject deployment)
    {
        var come = Texts(deployment["Definition"]);
        foreach (var rollout in Rollouts(deployment, "Rollouts"))
        {
            if (come.TryGetValue(ComponentOf(rollout), out var text))
                rollout["Revision"] = RevisionId.Of(text);
        }
    }

    // Version 0.1 journaled no rows: an undo needs them.
    private static void AddRows(JsonObject deployment)
    {
        if (deployment["Before"] is JsonArray)
            return;
        var rows = new JsonArray();
        var isActive = deployment["Previous"] is JsonValue value
            && value.TryGetValue<string>(out var file)
            && !file.Contains("\nactive = false\n", StringComparison.Ordinal);
        var were = Texts(deployment["Previous"]);
        foreach (var rollout in Rollouts(deployment, "Rollouts").Concat(Rollouts(deployment, "Removals")))
        {
            if (were.TryGetValue(ComponentOf(rollout), out var text))
                rows.Add((JsonNode)Row(text, rollout["OldGeneration"]?.GetValue<int>() ?? 0, isActive));
        }

        deployment["Before"] = rows;
    }

    private static JsonObject Row(string text, int generation, bool isActive)
    {
        var component = RevisionCodec.LegacyComponent(text);
        return new JsonObject
        {
            ["Name"] = component.Name.Text,
            ["Definition"] = text,
            ["SpecHash"] = RevisionId.Of(text),
            ["Generation"] = generation,
            ["Desired"] = (isActive ? DesiredState.Running : DesiredState.Stopped).ToString(),
            ["Image"] = component.Image.Text,
            ["Runtime"] = Spellings.Runtimes.Spell(component.Runtime),
        };
    }

    private static IEnumerable<JsonObject> Rollouts(JsonObject deployment, string key) =>
        (deployment[key] as JsonArray ?? []).OfType<JsonObject>();

    private static string ComponentOf(JsonObject rollout) => rollout["Component"]?.ToString() ?? "";

    // Of each component, by its name, its text in a service file as those versions wrote it.
    private static Dictionary<string, string> Texts(JsonNode? definition)
    {
        var texts = new Dictionary<string, string>();
        if (definition is not JsonValue value || !value.TryGetValue<string>(out var file) || RevisionCodec.IsBody(file))
            return texts;
        foreach (var text in file.Split($"\n{Header}")[1..])
        {
            if (Body(Header + text, toml => RevisionCodec.LegacyComponent(toml).Name.Text) is { } name)
                texts[name] = Header + text;
        }

        return texts;
    }

    private static void Replace(JsonObject within, string key, Func<string, string> convert)
    {
        if (within[key] is JsonValue value && value.TryGetValue<string>(out var text) && Body(text, convert) is { } body)
            within[key] = body;
    }

    private static string? Body(string text, Func<string, string> convert)
    {
        if (RevisionCodec.IsBody(text))
            return null;
        try
        {
            return convert(text);
        }
        catch (McpException)
        {
            return null;
        }
    }
}
