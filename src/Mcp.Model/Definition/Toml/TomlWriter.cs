using System.Globalization;
using System.Text;
using Mcp.Model.Definition.Tree;

namespace Mcp.Model.Definition.Toml;

/// <summary>The tree of a file as TOML: lists of tables with a header each, every other table within its line.</summary>
internal static class TomlWriter
{
    public static string Write(TableNode root)
    {
        var text = new StringBuilder();
        Write(text, root, "");
        return text.ToString();
    }

    /// <summary>As it stands behind a key.</summary>
    public static string Value(Node value) => Inline(value);

    private static void Write(StringBuilder text, TableNode table, string path)
    {
        foreach (var (key, entry) in table.Entries)
        {
            if (!HasHeaders(entry.Value))
                text.Append(Key(key)).Append(" = ").Append(Inline(entry.Value)).Append('\n');
        }

        foreach (var (key, entry) in table.Entries)
        {
            if (!HasHeaders(entry.Value))
                continue;
            foreach (var item in ((ListNode)entry.Value).Items)
            {
                text.Append(text.Length > 0 ? "\n" : "").Append("[[").Append(path).Append(Key(key)).Append("]]\n");
                Write(text, (TableNode)item, $"{path}{Key(key)}.");
            }
        }
    }

    private static bool HasHeaders(Node value) =>
        value is ListNode { Items.Count: > 0 } list && list.Items.TrueForAll(item => item is TableNode);

    private static string Inline(Node value) => value switch
    {
        TextNode text => Quote(text.Value),
        IntegerNode number => number.Value.ToString(CultureInfo.InvariantCulture),
        BooleanNode truth => truth.Value ? "true" : "false",
        ListNode list => $"[{string.Join(", ", list.Items.Select(Inline))}]",
        TableNode { Entries.Count: 0 } => "{}",
        TableNode table => $"{{ {string.Join(", ", table.Entries.Select(e => $"{Key(e.Key)} = {Inline(e.Value.Value)}"))} }}",
        // TOML has no null: what was not there is told by a text.
        OtherNode other => other.Raw == "null" ? Quote("") : other.Raw,
        _ => "",
    };

    /// <summary>As it stands before the '=', quoted where it must be.</summary>
    public static string Key(string key) =>
        key.Length > 0 && key.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-') ? key : Quote(key);

    public static string Quote(string value)
    {
        var text = new StringBuilder("\"");
        foreach (var c in value)
        {
            if (c is '"' or '\\')
                text.Append('\\').Append(c);
            else if (IsSeen(c))
                text.Append(c);
            else
                text.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:X4}");
        }

        return text.Append('"').ToString();
    }

    /// <summary>Not what moves a cursor, ends a line, or turns the direction of text.</summary>
    public static bool IsSeen(char c) =>
        char.GetUnicodeCategory(c) is not (UnicodeCategory.Control
            or UnicodeCategory.Format
            or UnicodeCategory.LineSeparator
            or UnicodeCategory.ParagraphSeparator);
}
