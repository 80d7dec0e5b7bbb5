using System.Collections;
using System.Diagnostics.CodeAnalysis;

namespace Mcp.Model.Definition.Toml;

/// <summary>The keys of one table in the order of the file. Most tables have few, and a file may have thousands of tables, so an index is made only for large ones.</summary>
internal sealed class TomlEntries : IEnumerable<KeyValuePair<string, TomlEntry>>
{
    private const int Few = 12;
    private readonly List<KeyValuePair<string, TomlEntry>> _entries = new(4);
    private Dictionary<string, TomlEntry>? _index;

    public int Count => _entries.Count;

    public TomlEntry this[string key]
    {
        set
        {
            if (!TryAdd(key, value))
                throw new ArgumentException("is there already", nameof(key));
        }
    }

    public bool TryGetValue(string key, [NotNullWhen(true)] out TomlEntry? entry)
    {
        if (_index is not null)
            return _index.TryGetValue(key, out entry);
        foreach (var (name, value) in _entries)
        {
            if (name == key)
            {
                entry = value;
                return true;
            }
        }

        entry = null;
        return false;
    }

    public bool TryAdd(string key, TomlEntry entry)
    {
        if (TryGetValue(key, out _))
            return false;
        _entries.Add(new KeyValuePair<string, TomlEntry>(key, entry));
        if (_index is not null)
            _index.Add(key, entry);
        else if (_entries.Count > Few)
            _index = new Dictionary<string, TomlEntry>(_entries);
        return true;
    }

    public List<KeyValuePair<string, TomlEntry>>.Enumerator GetEnumerator() => _entries.GetEnumerator();

    IEnumerator<KeyValuePair<string, TomlEntry>> IEnumerable<KeyValuePair<string, TomlEntry>>.GetEnumerator() => GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
