using System.Diagnostics.CodeAnalysis;
using Mcp.Model.Definition.Tree;

namespace Mcp.Model.Definition.Keys;

internal delegate bool TryParse<TValue>(string text, [MaybeNullWhen(false)] out TValue value);

/// <summary>Text of a form.</summary>
/// <param name="isNoted">Rules tell their mistakes at its place: it is a value of its own each time.</param>
/// <param name="pattern">For the schema: a regular expression (ECMA 262) that every such text matches.</param>
/// <param name="advise">Of a text that is not of that form: what would have been right. Null: <paramref name="allowed"/>.</param>
internal sealed class TextKind<TValue>(
    string allowed,
    TryParse<TValue> tryParse,
    Func<TValue, string> write,
    bool isNoted = false,
    Func<string, string>? advise = null,
    string? pattern = null) : Kind<TValue>
    where TValue : notnull
{
    public override string Name => "text";

    public override string Allowed => allowed;

    public override bool TryRead(Node node, Reading reading, string key, [MaybeNullWhen(false)] out TValue value)
    {
        value = default;
        var text = (node as TextNode)?.Value;
        if (text is null || !tryParse(text, out value))
        {
            reading.Wrong(node, text is null || advise is null ? allowed : advise(text), key);
            return false;
        }

        if (isNoted)
            reading.Note((object)value, node);
        return true;
    }

    public override Node Write(TValue value) => Text(write(value));

    public override TableNode Schema() => pattern is null
        ? Schema(("type", Text("string")))
        : Schema(("type", Text("string")), ("pattern", Text(pattern)));
}

internal sealed class IntegerKind(int least, int most) : Kind<int>
{
    public override string Name => "whole number";

    public override string Allowed =>
        string.Create(System.Globalization.CultureInfo.InvariantCulture, $"a whole number from {least} to {most}");

    public override bool TryRead(Node node, Reading reading, string key, out int value)
    {
        value = node is IntegerNode number && number.Value >= least && number.Value <= most ? (int)number.Value : least - 1;
        if (value >= least)
            return true;
        reading.Wrong(node, node is TextNode ? $"{Allowed}, without quotes" : Allowed, key);
        return false;
    }

    public override Node Write(int value) => new IntegerNode(0, 0, value);

    public override TableNode Schema() => Schema(
        ("type", Text("integer")),
        ("minimum", new IntegerNode(0, 0, least)),
        ("maximum", new IntegerNode(0, 0, most)));
}

/// <summary>Bytes, written as mebibytes.</summary>
internal sealed class MebibytesKind(int least, int most) : Kind<long>
{
    private const long Mebibyte = 1024 * 1024;
    private readonly IntegerKind _whole = new(least, most);

    public override string Name => _whole.Name;

    public override string Allowed => _whole.Allowed;

    public override bool TryRead(Node node, Reading reading, string key, out long value)
    {
        var isRead = _whole.TryRead(node, reading, key, out var whole);
        value = whole * Mebibyte;
        return isRead;
    }

    public override Node Write(long value) => new IntegerNode(0, 0, value / Mebibyte);

    public override TableNode Schema() => _whole.Schema();
}

internal sealed class BooleanKind : Kind<bool>
{
    public override string Name => "true or false";

    public override string Allowed => "true or false";

    public override bool TryRead(Node node, Reading reading, string key, out bool value)
    {
        value = node is BooleanNode { Value: true };
        if (node is BooleanNode)
            return true;
        reading.Wrong(node, node is TextNode ? $"{Allowed}, without quotes" : Allowed, key);
        return false;
    }

    public override Node Write(bool value) => new BooleanNode(0, 0, value);

    public override TableNode Schema() => Schema(("type", Text("boolean")));
}

internal sealed class DurationKind(TimeSpan least, TimeSpan most) : Kind<TimeSpan>
{
    public override string Name => "time";

    public override string Allowed =>
        $"a time from {Durations.Format(least)} to {Durations.Format(most)}, such as \"500ms\", \"2s\", \"1m\"";

    public override bool TryRead(Node node, Reading reading, string key, out TimeSpan value)
    {
        if (node is TextNode text && Durations.TryParse(text.Value, out value) && value >= least && value <= most)
            return true;
        value = default;
        reading.Wrong(node, Allowed, key);
        return false;
    }

    public override Node Write(TimeSpan value) => Text(Durations.Format(value));

    public override TableNode Schema() => Schema(("type", Text("string")), ("pattern", Text("^[0-9]+(ms|s|m|h)$")));
}

internal sealed class ChoiceKind<TEnum>(IReadOnlyDictionary<string, TEnum> spellings) : Kind<TEnum>
    where TEnum : struct, Enum
{
    public override string Name => "one of";

    public override string Allowed => string.Join(" | ", spellings.Keys);

    public override bool TryRead(Node node, Reading reading, string key, out TEnum value)
    {
        value = default;
        if (node is TextNode text && spellings.TryGetValue(text.Value, out value))
            return true;
        reading.Wrong(node, Allowed, key);
        return false;
    }

    public override Node Write(TEnum value) => Text(spellings.Spell(value));

    public override TableNode Schema() => Schema(("enum", new ListNode(0, 0, [.. spellings.Keys.Select(Text)])));
}

/// <param name="items">What each item is.</param>
internal sealed class ListKind<TItem>(Kind<TItem> items) : Kind<IReadOnlyList<TItem>>
{
    public override string Name => $"list of {items.Name}";

    public override string Allowed => items.Allowed;

    public override IReadOnlyList<KeyInfo>? Inner => items.Inner;

    public override bool TryRead(Node node, Reading reading, string key, [MaybeNullWhen(false)] out IReadOnlyList<TItem> value)
    {
        value = null;
        if (node is not ListNode list)
        {
            reading.Wrong(node, "a list", key);
            return false;
        }

        // Every wrong item is told.
        var read = new List<TItem>(list.Items.Count);
        foreach (var item in list.Items)
        {
            if (items.TryRead(item, reading, key, out var one))
                read.Add(one);
        }

        value = read;
        return read.Count == list.Items.Count;
    }

    public override Node Write(IReadOnlyList<TItem> value) => new ListNode(0, 0, [.. value.Select(items.Write)]);

    public override Node WriteWhole(IReadOnlyList<TItem> value) => new ListNode(0, 0, [.. value.Select(items.WriteWhole)]);

    public override TableNode Schema() => Schema(("type", Text("array")), ("items", items.Schema()));
}

/// <summary>Names and texts, in the order of the names.</summary>
internal sealed class MapKind(
    string allowedName,
    Func<string, bool> isName,
    Func<string, bool> isValue) : Kind<IReadOnlyDictionary<string, string>>
{
    public override string Name => "names and texts";

    public override string Allowed => allowedName;

    public override bool TryRead(
        Node node,
        Reading reading,
        string key,
        [MaybeNullWhen(false)] out IReadOnlyDictionary<string, string> value)
    {
        value = null;
        if (node is not TableNode table)
        {
            reading.Wrong(node, "a table", key);
            return false;
        }

        var read = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var (name, entry) in table.Entries)
        {
            if (!isName(name))
                reading.Wrong(new TextNode(entry.Line, entry.Column, name), allowedName, key);
            else if (entry.Value is TextNode text && isValue(text.Value))
                read[name] = text.Value;
            else
                reading.Wrong(entry.Value, "a string", $"{key}.{name}");
        }

        value = read;
        return read.Count == table.Entries.Count;
    }

    public override Node Write(IReadOnlyDictionary<string, string> value)
    {
        var table = new TableNode(0, 0);
        foreach (var (name, text) in value.OrderBy(v => v.Key, StringComparer.Ordinal))
            table.Entries[name] = new Entry(0, 0, Text(text));
        return table;
    }

    public override TableNode Schema() => Schema(("type", Text("object")), ("additionalProperties", Schema(("type", Text("string")))));
}

/// <summary>A table with keys of its own.</summary>
internal sealed class TableKind<TPart>(KeyTable<TPart> keys) : Kind<TPart>
    where TPart : class
{
    public override string Name => "table";

    public override string Allowed => "a table";

    public override IReadOnlyList<KeyInfo>? Inner => keys.Infos;

    public override bool TryRead(Node node, Reading reading, string key, [MaybeNullWhen(false)] out TPart value)
    {
        value = null;
        if (node is not TableNode table)
        {
            reading.Wrong(node, "a table", key);
            return false;
        }

        var before = reading.Problems;
        value = keys.Read(table, reading);
        // A mistake in it is told; the part counts, so that the rules find their mistakes, too.
        return !reading.IsStored || reading.Problems == before;
    }

    public override Node Write(TPart value) => keys.Write(value);

    public override Node WriteWhole(TPart value) => keys.WriteWhole(value);

    public override TableNode Schema() => keys.Schema();
}
