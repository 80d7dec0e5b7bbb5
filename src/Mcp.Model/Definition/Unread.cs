using Mcp.Model.Definition.Tree;

namespace Mcp.Model.Definition;

/// <summary>What another version stored of a part and this one cannot read: keys it does not know, and values it cannot take. It is kept,
/// and written back as it was; nothing new may be made of the part.</summary>
public sealed class Unread
{
    public static readonly Unread None = new([]);

    private readonly List<(string Key, Node Value)> _entries;

    internal Unread(List<(string Key, Node Value)> entries) => _entries = entries;

    /// <summary>Nothing of it could be read: the text, whatever it is.</summary>
    public static Unread Damaged(string text) => new([("unreadable", new TextNode(0, 0, text))]);

    public bool IsEmpty => _entries.Count == 0;

    public IEnumerable<string> Keys => _entries.Select(e => e.Key);

    internal IReadOnlyList<(string Key, Node Value)> Entries => _entries;
}
