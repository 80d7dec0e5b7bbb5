using System.Runtime.CompilerServices;
using Mcp.Model.Definition.Toml;

namespace Mcp.Model.Definition;

/// <summary>Where in the file each part of a definition stands, by identity.</summary>
public sealed class Places
{
    private readonly ConditionalWeakTable<object, TomlNode> _nodes = [];

    internal T Note<T>(T part, TomlNode node)
        where T : class
    {
        _nodes.AddOrUpdate(part, node);
        return part;
    }

    public Problem Problem(object part, string message, string value, string allowed) =>
        _nodes.TryGetValue(part, out var node)
            ? new Problem(node.Line, node.Column, message, value, allowed)
            : new Problem(1, 1, message, value, allowed);
}
