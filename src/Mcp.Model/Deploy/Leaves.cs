using System.Globalization;
using Mcp.Model.Definition.Toml;
using Mcp.Model.Definition.Tree;

namespace Mcp.Model.Deploy;

/// <summary>One value of a definition.</summary>
/// <param name="Text">Different values have different texts; in one line.</param>
internal sealed record Leaf(string Text, string Key = "", Node? Value = null)
{
    public bool IsSecret => Secrets.Names(Key) || (Value is not null && Secrets.AreIn(Value));
}

/// <summary>A written definition as one value for each path.</summary>
internal sealed class Leaves
{
    private const string Identity = "name";
    private readonly OrderedDictionary<string, Leaf> _values = new(StringComparer.Ordinal);
    private readonly OrderedDictionary<string, List<string>> _lists = new(StringComparer.Ordinal);

    private Leaves()
    {
    }

    public IEnumerable<string> Paths => _values.Keys;

    /// <summary>The lists of tables that have names.</summary>
    public IEnumerable<string> Lists => _lists.Keys;

    public Leaf? this[string path] => _values.GetValueOrDefault(path);

    /// <summary>Of such a list, in its order; null: it is not there.</summary>
    public List<string>? Names(string list) => _lists.GetValueOrDefault(list);

    public static Leaves Of(TableNode? table)
    {
        var leaves = new Leaves();
        if (table is not null)
            leaves.Add("", table);
        return leaves;
    }

    /// <summary>All of it, one line for each value; different definitions have different lines.</summary>
    public IEnumerable<string> Lines() =>
        [.. _values.Select(v => $"{v.Key} = {v.Value.Text}"), .. _lists.Select(l => $"{l.Key}: {Text(l.Value).Text}")];

    /// <summary>Whether those that are in both stand in another order.</summary>
    public static bool IsReordered(IReadOnlyList<string> old, IReadOnlyList<string> come)
    {
        var (before, after) = (old.ToHashSet(), come.ToHashSet());
        return !old.Where(after.Contains).SequenceEqual(come.Where(before.Contains));
    }

    public static Leaf Text(IEnumerable<string> names) => new(Write(new ListNode(0, 0, [.. names.Select(n => new TextNode(0, 0, n))])));

    private void Add(string path, TableNode table)
    {
        foreach (var (key, entry) in table.Entries)
        {
            var inner = path.Length == 0 ? TomlWriter.Key(key) : $"{path}.{TomlWriter.Key(key)}";
            switch (entry.Value)
            {
                case TableNode { Entries.Count: > 0 } part:
                    Add(inner, part);
                    break;
                case ListNode list when AreNamed(list):
                    Add(inner, list);
                    break;
                default:
                    Add(inner, new Leaf(entry.Value is TextNode text ? Plain(text.Value) : Write(entry.Value), key, entry.Value));
                    break;
            }
        }
    }

    private void Add(string path, ListNode list)
    {
        var names = new List<string>();
        foreach (var item in list.Items.Cast<TableNode>())
        {
            var name = NameOf(item)!;
            names.Add(name);
            var known = new TableNode(0, 0);
            foreach (var (key, entry) in item.Entries.Where(e => e.Key != Identity))
                known.Entries[key] = entry;
            if (known.Entries.Count > 0)
                Add($"{path}.{TomlWriter.Key(name)}", known);
            else
                Add($"{path}.{TomlWriter.Key(name)}", new Leaf("{}"));
        }

        _lists[path] = names;
    }

    // Only what is damaged has a name twice.
    private void Add(string path, Leaf leaf)
    {
        var free = path;
        for (var i = 2; !_values.TryAdd(free, leaf); i++)
            free = string.Create(CultureInfo.InvariantCulture, $"{path}[{i}]");
    }

    private static bool AreNamed(ListNode list) => list.Items.Count > 0 && list.Items.All(i => NameOf(i) is not null);

    private static string? NameOf(Node item) =>
        item is TableNode table && table.Entries.TryGetValue(Identity, out var entry) && entry.Value is TextNode name ? name.Value : null;

    // Without quotes where nobody can take it for something else.
    private static string Plain(string text)
    {
        var isPlain = text.Length > 0
            && text[0] is not ('"' or '[' or '{' or ' ' or '(')
            && text[^1] != ' '
            && text.All(TomlWriter.IsSeen);
        return isPlain ? text : TomlWriter.Quote(text);
    }

    private static string Write(Node node) => node is OtherNode other ? Plain(other.Raw) : TomlWriter.Value(node);
}
