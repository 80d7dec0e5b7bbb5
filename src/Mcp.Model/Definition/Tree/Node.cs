namespace Mcp.Model.Definition.Tree;

/// <summary>A value of a file: of TOML with the place where it stands (line and column count from 1), of JSON without (0).</summary>
internal abstract record Node(int Line, int Column);

internal sealed record TextNode(int Line, int Column, string Value) : Node(Line, Column);

internal sealed record IntegerNode(int Line, int Column, long Value) : Node(Line, Column);

internal sealed record BooleanNode(int Line, int Column, bool Value) : Node(Line, Column);

/// <summary>A value that no file of ours has use for: a date, a fraction, null.</summary>
/// <param name="Kind">For people.</param>
/// <param name="Raw">As it was written: what is stored by a newer version is written back.</param>
internal sealed record OtherNode(int Line, int Column, string Kind, string Raw) : Node(Line, Column);

internal sealed record ListNode(int Line, int Column, List<Node> Items) : Node(Line, Column)
{
    /// <summary>Made by headers, [[name]]: goes on with the next one.</summary>
    public bool IsOfHeaders { get; init; }
}

internal sealed record TableNode(int Line, int Column, Entries Entries) : Node(Line, Column)
{
    public TableNode(int line, int column)
        : this(line, column, new Entries())
    {
    }

    public TableOrigin Origin { get; set; }
}

/// <summary>What made a table, and so whether a header may go on with it.</summary>
internal enum TableOrigin
{
    /// <summary>Braces, an item of a list, or not TOML: nothing can be added.</summary>
    Whole,

    /// <summary>[name]: it has had its header.</summary>
    Header,

    /// <summary>[name.inner]: its own header may still come.</summary>
    Implied,

    /// <summary>name.inner = value: no header may come.</summary>
    Dotted,
}

/// <summary>A key's value; Line and Column are the key's.</summary>
internal sealed record Entry(int Line, int Column, Node Value);
