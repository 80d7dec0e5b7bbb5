using Mcp.Model.Definition.Tree;

namespace Mcp.Model.Definition;

/// <summary>Where in the file each part of a definition stands, by identity.</summary>
public sealed class Places
{
    /// <summary>Notes nothing: for a text that is probably right.</summary>
    public static readonly Places None = new();

    private readonly Dictionary<object, Node> _nodes = new(ReferenceEqualityComparer.Instance);

    internal T Note<T>(T part, Node node)
        where T : class
    {
        if (this != None)
            _nodes[part] = node;
        return part;
    }

    /// <summary>Whether the file has this key in the part's table, whatever its value.</summary>
    public bool Says(object part, string key) =>
        _nodes.TryGetValue(part, out var node) && node is TableNode table && table.Entries.TryGetValue(key, out _);

    public Problem Problem(object part, string message, string value, string allowed) =>
        _nodes.TryGetValue(part, out var node)
            ? new Problem(node.Line, node.Column, message, value, allowed)
            : new Problem(1, 1, message, value, allowed);
}
