using Mcp.Model.Definition.Toml;
using Mcp.Model.Definition.Tree;

namespace Mcp.Model.Definition.Keys;

/// <summary>What stores what it could not read.</summary>
internal interface IKeepsUnread<TPart>
{
    Unread Unread { get; }

    TPart With(Unread unread);
}

/// <summary>All keys of a table, in the order in which they are written.</summary>
/// <param name="what">With an article, for people: "a component".</param>
/// <param name="start">The part without any key.</param>
internal sealed class KeyTable<TPart>(string what, TPart start)
    where TPart : class
{
    // What a part is called: without it nothing can be said of it.
    private const string Identity = "name";
    private readonly List<Key<TPart>> _keys = [];
    private readonly List<string> _names = [];

    public IReadOnlyList<KeyInfo> Infos => [.. _keys.Select(k => k.Info)];

    public KeyTable<TPart> Required<TValue>(
        string name,
        Kind<TValue> kind,
        Func<TPart, TValue> get,
        Func<TPart, TValue, TPart> set,
        string text,
        string example = "") =>
            Add(new Key<TPart, TValue>(
                new KeyInfo(name, kind, "", text) { IsRequired = true, Example = example },
                kind,
                p => (true, get(p)),
                set));

    /// <summary>Always has a value; not written where it is the one without the key.</summary>
    public KeyTable<TPart> Value<TValue>(
        string name,
        Kind<TValue> kind,
        Func<TPart, TValue> get,
        Func<TPart, TValue, TPart> set,
        string text)
    {
        var otherwise = get(start);
        var written = kind.Write(otherwise);
        var info = new KeyInfo(name, kind, Reading.Show(written), text) { HasDefault = true, Example = TomlWriter.Value(written) };
        return Add(new Key<TPart, TValue>(info, kind, p => (!EqualityComparer<TValue>.Default.Equals(get(p), otherwise), get(p)), set));
    }

    /// <param name="otherwise">In words, what holds without it.</param>
    /// <param name="example">What a template shows, as TOML.</param>
    public KeyTable<TPart> Optional<TValue>(
        string name,
        Kind<TValue> kind,
        Func<TPart, TValue?> get,
        Func<TPart, TValue, TPart> set,
        string text,
        string otherwise = "",
        string example = "")
        where TValue : class =>
            Add(new Key<TPart, TValue>(
                new KeyInfo(name, kind, otherwise, text) { Example = example },
                kind,
                p => (get(p) is not null, get(p)!),
                set));

    /// <inheritdoc cref="Optional"/>
    public KeyTable<TPart> Maybe<TValue>(
        string name,
        Kind<TValue> kind,
        Func<TPart, TValue?> get,
        Func<TPart, TValue, TPart> set,
        string text,
        string otherwise = "",
        string example = "")
        where TValue : struct =>
            Add(new Key<TPart, TValue>(
                new KeyInfo(name, kind, otherwise, text) { Example = example },
                kind,
                p => (get(p) is not null, get(p).GetValueOrDefault()),
                set));

    public KeyTable<TPart> List<TItem>(
        string name,
        Kind<TItem> items,
        Func<TPart, IReadOnlyList<TItem>> get,
        Func<TPart, IReadOnlyList<TItem>, TPart> set,
        string text,
        string otherwise = "",
        string example = "[]")
    {
        var kind = new ListKind<TItem>(items);
        return Add(new Key<TPart, IReadOnlyList<TItem>>(
            new KeyInfo(name, kind, otherwise, text) { Example = example },
            kind,
            p => (get(p).Count > 0, get(p)),
            set));
    }

    public KeyTable<TPart> Map(
        string name,
        MapKind kind,
        Func<TPart, IReadOnlyDictionary<string, string>> get,
        Func<TPart, IReadOnlyDictionary<string, string>, TPart> set,
        string text) =>
        Add(new Key<TPart, IReadOnlyDictionary<string, string>>(
            new KeyInfo(name, kind, "", text),
            kind,
            p => (get(p).Count > 0, get(p)),
            set));

    /// <summary>The key before: a template writes it out.</summary>
    public KeyTable<TPart> Shown()
    {
        _keys[^1].Info.IsShown = true;
        return this;
    }

    private KeyTable<TPart> Add(Key<TPart> key)
    {
        _keys.Add(key);
        _names.Add(key.Name);
        return this;
    }

    public TPart Read(TableNode table, Reading reading)
    {
        var part = start;
        List<(string, Node)>? unread = null;
        var known = 0;
        foreach (var key in _keys)
        {
            if (!table.Entries.TryGetValue(key.Name, out var entry))
            {
                if (!key.Info.IsRequired)
                    continue;
                var told = reading.Problems;
                reading.Missing(table, what, key.Name);
                if (!reading.IsStored || key.Name == Identity)
                    continue;
                reading.Keep(told);
                (unread ??= []).Add((key.Name, new OtherNode(0, 0, "nothing", "null")));
                continue;
            }

            known++;
            var before = reading.Problems;
            part = key.Read(part, entry.Value, reading);
            if (!reading.IsStored || reading.Problems == before || key.Name == Identity)
                continue;
            reading.Keep(before);
            (unread ??= []).Add((key.Name, entry.Value));
        }

        if (known < table.Entries.Count)
            SeeUnknown(table, reading, ref unread);
        if (unread is not null && part is IKeepsUnread<TPart> keeps)
            part = keeps.With(new Unread(unread));
        return reading.Note(part, table);
    }

    public TableNode Write(TPart part) => Write(part, key => key.Write(part));

    /// <summary>With the keys that are not written because their values hold without them.</summary>
    public TableNode WriteWhole(TPart part) => Write(part, key => key.WriteWhole(part));

    private TableNode Write(TPart part, Func<Key<TPart>, Node?> write)
    {
        var table = new TableNode(0, 0);
        var unread = (part as IKeepsUnread<TPart>)?.Unread ?? Unread.None;
        foreach (var key in _keys)
        {
            if (!unread.IsEmpty && unread.Keys.Contains(key.Name))
                continue;
            if (write(key) is { } value)
                table.Entries[key.Name] = new Entry(0, 0, value);
        }

        foreach (var (key, value) in unread.Entries)
            table.Entries[key] = new Entry(0, 0, value);
        return table;
    }

    public TableNode Schema()
    {
        var properties = new TableNode(0, 0);
        foreach (var key in _keys)
            properties.Entries[key.Name] = new Entry(0, 0, key.Schema());
        var schema = new TableNode(0, 0);
        schema.Entries["type"] = new Entry(0, 0, new TextNode(0, 0, "object"));
        schema.Entries["additionalProperties"] = new Entry(0, 0, new BooleanNode(0, 0, false));
        schema.Entries["properties"] = new Entry(0, 0, properties);
        var required = _keys.Where(k => k.Info.IsRequired).Select(Node (k) => new TextNode(0, 0, k.Name)).ToList();
        if (required.Count > 0)
            schema.Entries["required"] = new Entry(0, 0, new ListNode(0, 0, required));
        return schema;
    }

    private void SeeUnknown(TableNode table, Reading reading, ref List<(string, Node)>? unread)
    {
        foreach (var (name, entry) in table.Entries)
        {
            if (_names.Contains(name))
                continue;
            if (reading.IsStored)
                (unread ??= []).Add((name, entry.Value));
            else
                reading.Unknown(name, entry, what, _names);
        }
    }
}
