using System.Diagnostics.CodeAnalysis;
using Mcp.Model.Definition.Tree;

namespace Mcp.Model.Definition.Keys;

/// <summary>What a key's value may be, in words.</summary>
internal interface IKind
{
    /// <summary>For the reference: "text", "whole number".</summary>
    string Name { get; }

    /// <summary>For the reference and for errors: what would have been right.</summary>
    string Allowed { get; }

    /// <summary>Of a table, or of each table of a list: its keys; null: it is neither.</summary>
    IReadOnlyList<KeyInfo>? Inner => null;
}

/// <summary>What a key's value may be, and how it is read and written.</summary>
/// <typeparam name="TValue">Never null where it was read.</typeparam>
internal abstract class Kind<TValue> : IKind
{
    public abstract string Name { get; }

    public abstract string Allowed { get; }

    public virtual IReadOnlyList<KeyInfo>? Inner => null;

    /// <summary>False: it is told to <paramref name="reading"/>.</summary>
    public abstract bool TryRead(Node node, Reading reading, string key, [MaybeNullWhen(false)] out TValue value);

    public abstract Node Write(TValue value);

    /// <summary>With the keys that are not written because their values hold without them.</summary>
    public virtual Node WriteWhole(TValue value) => Write(value);

    /// <summary>For editors (JSON Schema, draft 2020-12).</summary>
    public abstract TableNode Schema();

    protected static TableNode Schema(params ReadOnlySpan<(string Key, Node Value)> entries)
    {
        var table = new TableNode(0, 0);
        foreach (var (key, value) in entries)
            table.Entries[key] = new Entry(0, 0, value);
        return table;
    }

    protected static TextNode Text(string text) => new(0, 0, text);
}
