using System.Collections;
using System.Diagnostics.CodeAnalysis;

namespace Mcp.Model.Definition.Tree;

/// <summary>The keys of one table in the order of the file. Most tables have few, and a file may have thousands of tables, so an index is
/// made only for large ones.</summary>
internal sealed class Entries : IEnumerable<KeyValuePair<string, Entry>>
{
    private const int Few = 12;
    private readonly List<KeyValuePair<string, Entry>> _entries = new(4);
    private Dictionary<string, Entry>? _index;

    public int Count => _entries.Count;

    public Entry this[string key]
    {
        set
        {
            if (!TryAdd(key, value))
                throw new ArgumentException("is there already", nameof(key));
        }
    }

    public bool TryGetValue(string key, [NotNullWhen(true)] out Entry? entry)
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

    public bool TryAdd(string key, Entry entry)
    {
        if (TryGetValue(key, out _))
            return false;
        _entries.Add(new KeyValuePair<string, Entry>(key, entry));
        if (_index is not null)
            _index.Add(key, entry);
        else if (_entries.Count > Few)
            _index = new Dictionary<string, Entry>(_entries);
        return true;
    }

    public void Remove(string key)
    {
        _entries.RemoveAll(e => e.Key == key);
        _index?.Remove(key);
    }

    public List<KeyValuePair<string, Entry>>.Enumerator GetEnumerator() => _entries.GetEnumerator();

    IEnumerator<KeyValuePair<string, Entry>> IEnumerable<KeyValuePair<string, Entry>>.GetEnumerator() => GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
