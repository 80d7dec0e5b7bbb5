using System.Text;
using Mcp.Model.Definition.Rules;
using Mcp.Model.Definition.Toml;
using Mcp.Model.Names;

namespace Mcp.Model.Definition;

/// <summary>Service file text to definition. Every mistake is reported at once, with line and column.</summary>
public static class ServiceFile
{
    public const int MaxBytes = 1024 * 1024;

    private static readonly IDefinitionRule[] s_rules = [new ComponentNamesRule(), new RoutesRule(), new PortsRule(), new VolumesRule(), new RuntimeRule(), new HealthRule()];

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
        return Checked(Bind(text, file, problems, places), problems, places)
            ?? throw new ServiceFileException(file, [.. problems.Distinct().OrderBy(p => p.Line).ThenBy(p => p.Column)]);
    }

    private static ServiceDefinition? Checked(ServiceDefinition? definition, List<Problem> problems, Places places)
    {
        if (definition is not null)
            problems.AddRange(s_rules.SelectMany(rule => rule.Check(definition, places)));
        return problems.Count == 0 ? definition : null;
    }

    private static ServiceDefinition? Bind(string text, string file, List<Problem> problems, Places places)
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

        return problems.Count > 0 ? null : new ServiceBinder(problems, places).Service(table);
    }
}
