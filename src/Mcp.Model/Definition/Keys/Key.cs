using Mcp.Model.Definition.Tree;

namespace Mcp.Model.Definition.Keys;

/// <summary>One key of a table as the reference shows it.</summary>
public sealed record KeyInfo
{
    internal KeyInfo(string name, IKind kind, string otherwise, string text)
    {
        (Name, Default, Text) = (name, otherwise, text);
        (Kind, Allowed, Inner) = (kind.Name, kind.Allowed, kind.Inner);
    }

    public string Name { get; }

    /// <summary>Such as "text", "whole number".</summary>
    public string Kind { get; }

    public string Allowed { get; }

    /// <summary>What holds without it, as it would be written, or in words; empty: nothing.</summary>
    public string Default { get; }

    /// <summary>One sentence for people.</summary>
    public string Text { get; }

    /// <summary>Of a table, or of each table of a list: its keys; null: it is neither.</summary>
    public IReadOnlyList<KeyInfo>? Inner { get; }

    /// <summary>What a template shows, as TOML: the default, or what could be written; empty: the key is shown nowhere.</summary>
    public string Example { get; init; } = "";

    /// <summary>A template writes it out, not as a comment: everybody chooses it.</summary>
    public bool IsShown { get; internal set; }

    public bool IsRequired { get; init; }

    /// <summary>It has a value without being written.</summary>
    public bool HasDefault { get; init; }
}

/// <summary>One key of a table, declared once: the reader, the writer, the reference, "did you mean" and the schema for editors are made
/// from it.</summary>
internal abstract class Key<TPart>(KeyInfo info)
{
    public KeyInfo Info => info;

    public string Name => info.Name;

    /// <summary>The part with the value; what is wrong is told.</summary>
    public abstract TPart Read(TPart part, Node node, Reading reading);

    /// <summary>Null: it is as it would be without the key.</summary>
    public abstract Node? Write(TPart part);

    /// <summary>The same, with the value that it has without being written. Null: it has none.</summary>
    public abstract Node? WriteWhole(TPart part);

    public abstract TableNode Schema();
}

/// <param name="get">False: it is as it would be without the key.</param>
internal sealed class Key<TPart, TValue>(
    KeyInfo info, Kind<TValue> kind, Func<TPart, (bool Is, TValue Value)> get, Func<TPart, TValue, TPart> set) : Key<TPart>(info)
{
    // Of a list with one wrong item the others count, so that the rules find their mistakes, too.
    public override TPart Read(TPart part, Node node, Reading reading) =>
        kind.TryRead(node, reading, Name, out var value) || (value is not null && !reading.IsStored && !typeof(TValue).IsValueType)
            ? set(part, value)
            : part;

    public override Node? Write(TPart part) => get(part) is (true, var value) ? kind.Write(value) : null;

    public override Node? WriteWhole(TPart part)
    {
        var (isWritten, value) = get(part);
        return isWritten || Info.HasDefault ? kind.WriteWhole(value) : null;
    }

    public override TableNode Schema()
    {
        var schema = kind.Schema();
        schema.Entries["description"] = new Entry(0, 0, new TextNode(0, 0, Info.Text));
        return schema;
    }
}
