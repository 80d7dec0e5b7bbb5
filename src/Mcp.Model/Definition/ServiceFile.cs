using System.Text;
using Mcp.Model.Definition.Keys;
using Mcp.Model.Definition.Rules;
using Mcp.Model.Definition.Toml;

namespace Mcp.Model.Definition;

/// <summary>A definition that was stored by this or another version.</summary>
/// <param name="UnknownKeys">Keys that this version does not know: it must not make new instances of it.</param>
public sealed record StoredService(ServiceDefinition Definition, IReadOnlyList<string> UnknownKeys);

/// <summary>Service file text to definition. Every mistake is reported at once, with line and column.</summary>
public static class ServiceFile
{
    public const int MaxBytes = 1024 * 1024;

    private static readonly IDefinitionRule[] s_rules =
    [
        new ComponentNamesRule(),
        new RoutesRule(),
        new PortsRule(),
        new VolumesRule(),
        new WritersRule(),
        new RuntimeRule(),
        new HealthRule(),
    ];

    /// <exception cref="ServiceFileException">The text is not a valid service file; lists every mistake. Nothing else is thrown, whatever the text.</exception>
    public static ServiceDefinition Parse(string text, string file)
    {
        if (text.Length > MaxBytes || Encoding.UTF8.GetByteCount(text) > MaxBytes)
            throw new ServiceFileException(file, [new Problem(1, 1, "the file is too large", "", "at most 1 MiB")]);
        var problems = new List<Problem>();
        var places = new Places();
        var table = TomlReader.Read(text, problems);
        if (problems.Count == 0)
        {
            var definition = ServiceKeys.Service.Read(table, new Reading(problems, places, isStored: false));
            problems.AddRange(s_rules.SelectMany(rule => rule.Check(definition, places)));
            if (problems.Count == 0)
                return definition;
        }

        throw new ServiceFileException(file, [.. problems.Distinct().OrderBy(p => p.Line).ThenBy(p => p.Column)]);
    }

    /// <summary>Reads what this or another version has stored, with the rules of its day: no rule of today is applied, and keys that a newer version wrote
    /// are named, not refused. Never for a text that a person or a token asks for.</summary>
    /// <exception cref="ServiceFileException">The text is damaged, or a newer version wrote a value that this one cannot take.</exception>
    public static StoredService ReadStored(string text, string file)
    {
        var problems = new List<Problem>();
        var table = TomlReader.Read(text, problems);
        if (problems.Count > 0)
            throw new ServiceFileException(file, [.. problems.Distinct()]);
        var reading = new Reading(problems, Places.None, isStored: true);
        var definition = ServiceKeys.Service.Read(table, reading);
        problems.AddRange(reading.Unreadable);
        return problems.Count == 0
            ? new StoredService(definition, definition.UnreadKeys)
            : throw new ServiceFileException(file, [.. problems.Distinct()]);
    }
}
