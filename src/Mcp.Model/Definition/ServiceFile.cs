using Mcp.Model.Definition.Keys;
using Mcp.Model.Definition.Rules;

namespace Mcp.Model.Definition;

/// <summary>Service file text to definition. Every mistake is reported at once, with line and column.</summary>
public static class ServiceFile
{
    public const int MaxBytes = KeyFile.MaxBytes;

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
    public static ServiceDefinition Parse(string text, string file) =>
        KeyFile.Read(text, file, ServiceKeys.Service, (d, places) => s_rules.SelectMany(rule => rule.Check(d, places)));
}
