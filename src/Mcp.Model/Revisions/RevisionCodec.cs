using System.Text.Json;
using Mcp.Model.Definition;
using Mcp.Model.Definition.Keys;
using Mcp.Model.Definition.Toml;
using Mcp.Model.Definition.Tree;
using Mcp.Model.Errors;
using Mcp.Model.Names;

namespace Mcp.Model.Revisions;

/// <summary>Definitions as they are stored: JSON with the keys of a service file, defaults left out, <c>schema</c> first. No rule for users
/// is applied: what another version stored is read as far as it can be, and what this one does not know or cannot take is written back as
/// it was (<see cref="ServiceDefinition.UnreadKeys"/>).</summary>
public static class RevisionCodec
{
    /// <summary>Raised when the meaning of a key changes; a new key does not raise it.</summary>
    public const int Schema = 1;

    private const string SchemaKey = "schema";

    public static string Write(ServiceDefinition service) => JsonTree.Write(Numbered(ServiceKeys.Service.Write(service)));

    public static string Write(ComponentDefinition component) => JsonTree.Write(Numbered(ServiceKeys.Component.Write(component)));

    /// <exception cref="McpException">definition.unreadable: it is damaged, or of a schema that this version does not know.</exception>
    public static ServiceDefinition Service(string body) => Service(body, out _);

    /// <param name="hasUnreadable">Keys that this version knows have values that it cannot take: what it would read in their place is not
    /// so.</param>
    /// <inheritdoc cref="Service(string)"/>
    internal static ServiceDefinition Service(string body, out bool hasUnreadable) =>
        Read(Table(body), ServiceKeys.Service, out hasUnreadable);

    /// <inheritdoc cref="Service(string)"/>
    public static ComponentDefinition Component(string body) => Read(Table(body), ServiceKeys.Component, out _);

    /// <summary>What a version before 0.3 stored: a service file. What it does not read whole is kept, as with
    /// <see cref="Service(string)"/>.</summary>
    /// <exception cref="McpException">definition.unreadable: it is damaged.</exception>
    public static ServiceDefinition LegacyService(string toml) => Read(LegacyTable(toml), ServiceKeys.Service, out _);

    /// <summary>The same of one component's <c>[[components]]</c>.</summary>
    /// <exception cref="McpException">definition.unreadable</exception>
    public static ComponentDefinition LegacyComponent(string toml) =>
        LegacyTable(toml).Entries.TryGetValue("components", out var entry) && entry.Value is ListNode { Items: [TableNode table, ..] }
            ? Read(table, ServiceKeys.Component, out _)
            : throw Unreadable("there is no component in it");

    /// <summary>What an instance carries, whatever version made it.</summary>
    /// <exception cref="McpException">definition.unreadable</exception>
    public static ComponentDefinition Carried(string definition) =>
        IsBody(definition) ? Component(definition) : LegacyComponent(definition);

    /// <summary>Whether it is a body, and not what versions before 0.3 stored.</summary>
    public static bool IsBody(string definition) => definition.StartsWith('{');

    private static TableNode Table(string body)
    {
        TableNode table;
        try
        {
            table = JsonTree.Read(body);
        }
        // A text with half a character in it is told by the latter.
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw Unreadable(e.Message);
        }

        var isKnown = table.Entries.TryGetValue(SchemaKey, out var schema) && schema.Value is IntegerNode { Value: >= 1 and <= Schema };
        if (!isKnown)
        {
            throw Unreadable(
                $"its schema is {(schema is null ? "missing" : Reading.Show(schema.Value))}, and this version knows up to {Schema}");
        }

        table.Entries.Remove(SchemaKey);
        return table;
    }

    private static TPart Read<TPart>(TableNode table, KeyTable<TPart> keys, out bool hasUnreadable)
        where TPart : class
    {
        var problems = new List<Problem>();
        var reading = new Reading(problems, Places.None, isStored: true);
        var part = keys.Read(table, reading);
        hasUnreadable = reading.Unreadable.Count > 0;
        return problems.Count == 0 ? part : throw Unreadable(problems[0].ToString());
    }

    private static TableNode LegacyTable(string toml)
    {
        var problems = new List<Problem>();
        var table = TomlReader.Read(toml, problems);
        return problems.Count == 0 ? table : throw Unreadable(problems[0].ToString());
    }

    private static TableNode Numbered(TableNode part)
    {
        var body = new TableNode(0, 0);
        body.Entries[SchemaKey] = new Entry(0, 0, new IntegerNode(0, 0, Schema));
        foreach (var (key, entry) in part.Entries)
            body.Entries.TryAdd(key, entry);
        return body;
    }

    private static McpException Unreadable(string why) =>
        new(ErrorCode.DefinitionUnreadable, $"its stored definition cannot be read: {Label.Clip(why)}", "deploy the service's file again");
}
