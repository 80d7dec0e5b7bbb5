using System.Text;
using Mcp.Model.Definition.Rules;
using Mcp.Model.Definition.Toml;
using Mcp.Model.Names;

namespace Mcp.Model.Definition;

/// <summary>A definition that was stored by this or another version.</summary>
/// <param name="UnknownKeys">Keys that this version does not know: it must not make new instances of it.</param>
public sealed record StoredService(ServiceDefinition Definition, IReadOnlyList<string> UnknownKeys);

/// <summary>Service file text to definition. Every mistake is reported at once, with line and column.</summary>
public static class ServiceFile
{
    public const int MaxBytes = 1024 * 1024;

    private static readonly IDefinitionRule[] s_rules = [new ComponentNamesRule(), new RoutesRule(), new PortsRule(), new VolumesRule(), new WritersRule(), new RuntimeRule(), new HealthRule()];

    /// <exception cref="ServiceFileException">The text is not a valid service file; lists every mistake. Nothing else is thrown, whatever the text.</exception>
    public static ServiceDefinition Parse(string text, string file)
    {
        if (text.Length > MaxBytes || Encoding.UTF8.GetByteCount(text) > MaxBytes)
            throw new ServiceFileException(file, [new Problem(1, 1, "the file is too large", "", "at most 1 MiB")]);
        var problems = new List<Problem>();
        if (TomlEventReader.Read(text) is { } quick && Checked(new ServiceBinder(problems, Places.None).Service(quick), problems, Places.None) is { } valid)
            return valid;
        // Something may be wrong: once more, with the places.
        problems.Clear();
        var places = new Places();
        return Checked(Bind(text, file, problems, new ServiceBinder(problems, places)), problems, places)
            ?? throw new ServiceFileException(file, [.. problems.Distinct().OrderBy(p => p.Line).ThenBy(p => p.Column)]);
    }

    /// <summary>Reads what this or another version has stored, with the rules of its day: no rule of today is applied, and keys that a newer version wrote
    /// are named, not refused. Never for a text that a person or a token asks for.</summary>
    /// <exception cref="ServiceFileException">The text is damaged, or a newer version wrote a value that this one cannot take.</exception>
    public static StoredService ReadStored(string text, string file)
    {
        var problems = new List<Problem>();
        var unknown = new List<string>();
        var quick = TomlEventReader.Read(text);
        var definition = quick is not null
            ? new ServiceBinder(problems, Places.None, unknown).Service(quick)
            : Bind(text, file, problems, new ServiceBinder(problems, Places.None, unknown));
        return definition is not null && problems.Count == 0
            ? new StoredService(definition, [.. unknown.Distinct()])
            : throw new ServiceFileException(file, [.. problems.Distinct()]);
    }

    private static ServiceDefinition? Checked(ServiceDefinition? definition, List<Problem> problems, Places places)
    {
        if (definition is not null)
            problems.AddRange(s_rules.SelectMany(rule => rule.Check(definition, places)));
        return problems.Count == 0 ? definition : null;
    }

    private static ServiceDefinition? Bind(string text, string file, List<Problem> problems, ServiceBinder binder)
    {
        TomlTable table;
        try
        {
            table = TomlReader.Read(text, file, problems);
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            problems.Add(new Problem(1, 1, $"not valid TOML: {Label.Clip(e.Message)}", "", ""));
            return null;
        }

        return problems.Count > 0 ? null : binder.Service(table);
    }
}
