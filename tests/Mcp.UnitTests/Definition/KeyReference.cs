using System.Text;
using Mcp.Model.Definition.Keys;

namespace Mcp.UnitTests.Definition;

/// <summary>Keys as the documentation shows them.</summary>
internal static class KeyReference
{
    public static string Table(IEnumerable<KeyInfo> keys)
    {
        var text = new StringBuilder("| key | value | default | what it is |\n| --- | --- | --- | --- |\n");
        foreach (var key in keys)
            text.Append($"| `{key.Name}` | {Cell(ValueOf(key))} | {Cell(DefaultOf(key))} | {Cell(key.Text)} |\n");
        return text.ToString();
    }

    /// <summary>Every table of a file, with its header.</summary>
    public static string Tables(string header, IReadOnlyList<KeyInfo> keys, string path = "")
    {
        var text = new StringBuilder();
        if (keys.Any(k => k.Inner is null))
            text.Append($"\n### {header}\n\n{Table(keys.Where(k => k.Inner is null))}");
        foreach (var key in keys.Where(k => k.Inner is not null))
        {
            var name = path + key.Name;
            var isList = key.Kind.StartsWith("list", StringComparison.Ordinal);
            text.Append(Tables(isList ? $"`[[{name}]]`: {Start(key.Text)}" : $"`[{name}]`: {Start(key.Text)}", key.Inner!, name + "."));
        }

        return text.ToString();
    }

    private static string Start(string sentence) => char.ToLowerInvariant(sentence[0]) + sentence[1..].TrimEnd('.');

    private static string ValueOf(KeyInfo key) => key.Kind switch
    {
        "list of table" => "tables, see below",
        "table" => "a table, see below",
        "names and texts" => $"a table of texts; a name is {key.Allowed}",
        _ when key.Kind.StartsWith("list", StringComparison.Ordinal) => $"a list, each {key.Allowed}",
        _ => key.Allowed,
    };

    private static string DefaultOf(KeyInfo key) => key switch
    {
        { IsRequired: true } => "required",
        { HasDefault: true } => $"`{key.Default}`",
        _ => key.Default,
    };

    private static string Cell(string text) => text.Replace("|", "\\|", StringComparison.Ordinal);
}
