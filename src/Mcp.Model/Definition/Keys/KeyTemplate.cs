using System.Text;
using Mcp.Model.Definition.Toml;
using Mcp.Model.Definition.Tree;

namespace Mcp.Model.Definition.Keys;

/// <summary>A first file for people to edit: every key with its sentence; what differs from the defaults is written out, the rest stands
/// there as a comment.</summary>
internal static class KeyTemplate
{
    private const int Width = 100;

    public static string Write<TPart>(KeyTable<TPart> keys, TPart part)
        where TPart : class
    {
        var text = new StringBuilder();
        Write(text, keys.Infos, keys.Write(part), "", "");
        return text.ToString();
    }

    /// <summary>One table with its header, to go to the end of a file.</summary>
    public static string Section<TPart>(string header, string what, KeyTable<TPart> keys, TPart part)
        where TPart : class
    {
        var text = new StringBuilder();
        Header(text, what, $"[{header}]");
        Write(text, keys.Infos, keys.Write(part), $"{header}.", "");
        return text.ToString();
    }

    /// <param name="written">What differs from the defaults.</param>
    /// <param name="mark">Before each key: "# " where the whole table is a comment.</param>
    private static void Write(StringBuilder text, IReadOnlyList<KeyInfo> keys, TableNode written, string path, string mark)
    {
        foreach (var key in keys.Where(k => k.Inner is null))
        {
            var value = written.Entries.TryGetValue(key.Name, out var entry) && mark.Length == 0 ? TomlWriter.Value(entry.Value) : null;
            if (value is null && key.Example.Length == 0)
                continue;
            Comment(text, key.Kind == "one of" ? $"{key.Text.TrimEnd('.')}: {key.Allowed}." : key.Text);
            var isComment = mark.Length > 0 || (value is null && !key.IsShown);
            text.Append(isComment ? "# " : "").Append(key.Name).Append(" = ").Append(value ?? key.Example).Append('\n');
        }

        foreach (var key in keys.Where(k => k.Inner is not null))
        {
            var isList = key.Kind.StartsWith("list", StringComparison.Ordinal);
            if (key.Inner!.All(k => k.Inner is not null))
            {
                Write(text, key.Inner!, new TableNode(0, 0), $"{path}{key.Name}.", mark);
                continue;
            }

            var there = written.Entries.TryGetValue(key.Name, out var entry) ? entry.Value as TableNode : null;
            if (there is null && !isList && !key.HasDefault)
                continue;
            Header(text, key.Text, isList ? $"# [[{path}{key.Name}]]" : $"[{path}{key.Name}]");
            Write(text, key.Inner!, there ?? new TableNode(0, 0), $"{path}{key.Name}.", isList ? "# " : mark);
        }
    }

    private static void Header(StringBuilder text, string what, string header)
    {
        text.Append(text.Length > 0 ? "\n" : "");
        Comment(text, what);
        text.Append(header).Append('\n');
    }

    private static void Comment(StringBuilder text, string sentence)
    {
        var line = new StringBuilder("#");
        foreach (var word in sentence.Split(' '))
        {
            if (line.Length + word.Length >= Width)
            {
                text.Append(line).Append('\n');
                line.Clear().Append('#');
            }

            line.Append(' ').Append(word);
        }

        text.Append(line).Append('\n');
    }
}
