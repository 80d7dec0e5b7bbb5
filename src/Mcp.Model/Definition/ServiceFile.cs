using System.Text;
using Mcp.Model.Definition.Keys;
using Mcp.Model.Definition.Rules;
using Mcp.Model.Definition.Toml;

namespace Mcp.Model.Definition;

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

    /// <summary>A JSON schema (2020-12) of service files, for editors.</summary>
    public static string Schema() => ServiceKeys.Schema();

    /// <exception cref="ServiceFileException">The text is not a valid service file; lists every mistake. Nothing else is thrown, whatever
    /// the text.</exception>
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
}
