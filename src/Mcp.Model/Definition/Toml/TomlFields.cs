using Mcp.Model.Definition.Keys;
using Mcp.Model.Definition.Tree;
using Mcp.Model.Names;

namespace Mcp.Model.Definition.Toml;

/// <summary>Reads the known keys of one table; what nobody asked for is reported as unknown, with the nearest known key.</summary>
internal sealed class TomlFields(TableNode table, string what, List<Problem> problems)
{
    private const int UsualKeys = 16;
    private readonly List<string> _known = new(UsualKeys);

    public TableNode Table => table;

    public Entry? Entry(string key)
    {
        _known.Add(key);
        return table.Entries.TryGetValue(key, out var entry) ? entry : null;
    }

    public Entry? Required(string key)
    {
        var entry = Entry(key);
        if (entry is null)
            problems.Add(new Problem(table.Line, table.Column, $"{what} needs '{key}'", "", ""));
        return entry;
    }

    public string? Text(Entry? entry, string allowed = "a string")
    {
        if (entry is null)
            return null;
        if (entry.Value is TextNode text)
            return text.Value;
        Wrong(entry.Value, allowed);
        return null;
    }

    /// <summary>Null: missing, or wrong and reported.</summary>
    public Label? Name(Entry? entry, string key)
    {
        if (entry is null)
            return null;
        if (entry.Value is TextNode text && Label.TryParse(text.Value, out var label))
            return label;
        Wrong(entry.Value, Label.Allowed, key);
        return null;
    }

    public bool Boolean(string key, bool otherwise)
    {
        var entry = Entry(key);
        if (entry?.Value is BooleanNode truth)
            return truth.Value;
        if (entry is not null)
            Wrong(entry.Value, "true or false");
        return otherwise;
    }

    public int? Integer(string key, int min, int max)
    {
        var entry = Entry(key);
        if (entry is null)
            return null;
        if (entry.Value is IntegerNode number && number.Value >= min && number.Value <= max)
            return (int)number.Value;
        Wrong(entry.Value, $"a whole number from {min} to {max}", key);
        return null;
    }

    public TEnum Choice<TEnum>(string key, IReadOnlyDictionary<string, TEnum> spellings, TEnum otherwise)
        where TEnum : struct, Enum => Choice(key, spellings) ?? otherwise;

    /// <summary>Null: missing, or wrong and reported.</summary>
    public TEnum? Choice<TEnum>(string key, IReadOnlyDictionary<string, TEnum> spellings)
        where TEnum : struct, Enum
    {
        var entry = Entry(key);
        if (entry is null)
            return null;
        if (entry.Value is TextNode text && spellings.TryGetValue(text.Value, out var value))
            return value;
        Wrong(entry.Value, string.Join(" | ", spellings.Keys), key);
        return null;
    }

    public TimeSpan Duration(string key, TimeSpan otherwise, TimeSpan max)
    {
        var entry = Entry(key);
        if (entry is null)
            return otherwise;
        if (entry.Value is TextNode text && Durations.TryParse(text.Value, out var value) && value > TimeSpan.Zero && value <= max)
            return value;
        Wrong(entry.Value, $"a time from 1ms to {Durations.Format(max)}, such as \"500ms\", \"2s\", \"1m\"", key);
        return otherwise;
    }

    public IReadOnlyList<(Node Node, string Value)> Texts(string key)
    {
        var items = List(key);
        if (items.Count == 0)
            return [];
        var found = new List<(Node, string)>();
        foreach (var item in items)
        {
            if (item is TextNode text)
                found.Add((item, text.Value));
            else
                Wrong(item, "a string", key);
        }

        return found;
    }

    public IReadOnlyList<Node> List(string key)
    {
        var entry = Entry(key);
        if (entry is null)
            return [];
        if (entry.Value is ListNode list)
            return list.Items;
        Wrong(entry.Value, "a list", key);
        return [];
    }

    public TableNode? Inner(string key)
    {
        var entry = Entry(key);
        if (entry is null)
            return null;
        if (entry.Value is TableNode inner)
            return inner;
        Wrong(entry.Value, "a table", key);
        return null;
    }

    public void Wrong(Node node, string allowed, string? key = null) =>
        problems.Add(new Problem(
            node.Line,
            node.Column,
            key is null ? "wrong value" : $"wrong value of '{key}'",
            Reading.Show(node),
            allowed));

    public void RefuseUnknown()
    {
        foreach (var (key, entry) in table.Entries)
        {
            if (_known.Contains(key))
                continue;
            var nearest = DidYouMean.Nearest(key, _known);
            var allowed = (nearest is null ? "" : $"did you mean '{nearest}'? ") + string.Join(", ", _known);
            problems.Add(new Problem(entry.Line, entry.Column, $"{what} has no key of this name", Label.Clip(key), allowed));
        }
    }
}
