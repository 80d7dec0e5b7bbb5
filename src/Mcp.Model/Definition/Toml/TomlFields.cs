using Mcp.Model.Names;

namespace Mcp.Model.Definition.Toml;

/// <summary>Reads the known keys of one table; what nobody asked for is reported as unknown, with the nearest known key.</summary>
/// <param name="unknown">Takes the names of unknown keys instead; null: they are mistakes.</param>
internal sealed class TomlFields(TomlTable table, string what, List<Problem> problems, List<string>? unknown = null)
{
    private const int UsualKeys = 16;
    private readonly List<string> _known = new(UsualKeys);

    public TomlTable Table => table;

    public TomlEntry? Entry(string key)
    {
        _known.Add(key);
        return table.Entries.TryGetValue(key, out var entry) ? entry : null;
    }

    public TomlEntry? Required(string key)
    {
        var entry = Entry(key);
        if (entry is null)
            problems.Add(new Problem(table.Line, table.Column, $"{what} needs '{key}'", "", ""));
        return entry;
    }

    public string? Text(TomlEntry? entry, string allowed = "a string")
    {
        if (entry is null)
            return null;
        if (entry.Value is TomlText text)
            return text.Value;
        Wrong(entry.Value, allowed);
        return null;
    }

    /// <summary>Null: missing, or wrong and reported.</summary>
    public Label? Name(TomlEntry? entry, string key)
    {
        if (entry is null)
            return null;
        if (entry.Value is TomlText text && Label.TryParse(text.Value, out var label))
            return label;
        Wrong(entry.Value, Label.Allowed, key);
        return null;
    }

    public bool Boolean(string key, bool otherwise)
    {
        var entry = Entry(key);
        if (entry?.Value is TomlBoolean truth)
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
        if (entry.Value is TomlInteger number && number.Value >= min && number.Value <= max)
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
        if (entry.Value is TomlText text && spellings.TryGetValue(text.Value, out var value))
            return value;
        Wrong(entry.Value, string.Join(" | ", spellings.Keys), key);
        return null;
    }

    public TimeSpan Duration(string key, TimeSpan otherwise, TimeSpan max)
    {
        var entry = Entry(key);
        if (entry is null)
            return otherwise;
        if (entry.Value is TomlText text && Durations.TryParse(text.Value, out var value) && value > TimeSpan.Zero && value <= max)
            return value;
        Wrong(entry.Value, $"a time from 1ms to {Durations.Format(max)}, such as \"500ms\", \"2s\", \"1m\"", key);
        return otherwise;
    }

    public IReadOnlyList<(TomlNode Node, string Value)> Texts(string key)
    {
        var items = List(key);
        if (items.Count == 0)
            return [];
        var found = new List<(TomlNode, string)>();
        foreach (var item in items)
        {
            if (item is TomlText text)
                found.Add((item, text.Value));
            else
                Wrong(item, "a string", key);
        }

        return found;
    }

    public IReadOnlyList<TomlNode> List(string key)
    {
        var entry = Entry(key);
        if (entry is null)
            return [];
        if (entry.Value is TomlList list)
            return list.Items;
        Wrong(entry.Value, "a list", key);
        return [];
    }

    public TomlTable? Inner(string key)
    {
        var entry = Entry(key);
        if (entry is null)
            return null;
        if (entry.Value is TomlTable inner)
            return inner;
        Wrong(entry.Value, "a table", key);
        return null;
    }

    public void Wrong(TomlNode node, string allowed, string? key = null) =>
        problems.Add(new Problem(node.Line, node.Column, key is null ? "wrong value" : $"wrong value of '{key}'", Show(node), allowed));

    public void RefuseUnknown()
    {
        foreach (var (key, entry) in table.Entries)
        {
            if (_known.Contains(key))
                continue;
            if (unknown is not null)
            {
                unknown.Add(key);
                continue;
            }

            var nearest = DidYouMean.Nearest(key, _known);
            problems.Add(new Problem(entry.Line, entry.Column, $"{what} has no key of this name", Label.Clip(key),
                (nearest is null ? "" : $"did you mean '{nearest}'? ") + string.Join(", ", _known)));
        }
    }

    private static string Show(TomlNode node) => node switch
    {
        TomlText text => Label.Clip(text.Value),
        TomlInteger number => number.Value.ToString(System.Globalization.CultureInfo.InvariantCulture),
        TomlBoolean truth => truth.Value ? "true" : "false",
        TomlList => "[...]",
        TomlTable => "{...}",
        TomlOther other => other.Kind,
        _ => "",
    };
}
