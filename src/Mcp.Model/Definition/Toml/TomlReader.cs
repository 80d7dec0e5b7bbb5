using Mcp.Model.Definition.Tree;
using Mcp.Model.Names;
using Tomlyn.Parsing;

namespace Mcp.Model.Definition.Toml;

/// <summary>TOML text to a tree that remembers where everything stands. The parser's events come in the order of the text and know nothing
/// of what was there before: tables that are gone on with are put together here, and what is given twice is told.</summary>
internal ref struct TomlReader
{
    private readonly string _text;
    private readonly List<Problem> _problems;
    private readonly TableNode _root = new(1, 1) { Origin = TableOrigin.Header };
    private readonly Stack<Node> _open = new();
    private TomlParser _parser;

    // The key that was read last and has no value yet.
    private (string Name, int Line, int Column)? _key;

    // A table whose header stands a second time, until it is known whether that goes on to a table inside.
    private (TableNode Table, string Name, int Line, int Column)? _again;

    // A table whose header stands in this line for the first time: the same.
    private (TableNode Table, int Line)? _opened;

    // How far the text was looked at, and in which line that is.
    private int _offset;
    private int _line = 1;

    private TomlReader(string text, List<Problem> problems)
    {
        (_text, _problems) = (text, problems);
        _parser = TomlParser.Create(text, new TomlParserOptions { Mode = TomlParserMode.Tolerant, EagerStringValues = true });
    }

    /// <returns>The root; empty where something is wrong with the text. Every mistake is in <paramref name="problems"/>.</returns>
    public static TableNode Read(string text, List<Problem> problems)
    {
        var before = problems.Count;
        try
        {
            var reader = new TomlReader(text, problems);
            reader.Read();
            if (problems.Count == before)
                return reader._root;
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            // Whatever the parser throws at garbage.
            problems.Add(new Problem(1, 1, $"not valid TOML: {Label.Clip(e.Message)}", "", ""));
        }

        return new TableNode(1, 1);
    }

    private void Read()
    {
        while (_parser.MoveNext())
        {
            var now = _parser.Current;
            var isEnd = now.Kind is TomlParseEventKind.EndTable or TomlParseEventKind.EndArray;
            Take(now);
            // An end has the place of what comes after it.
            if (!isEnd && now.Span is { } span)
                Advance(span.Offset + span.Length);
        }

        foreach (var wrong in _parser.Diagnostics)
        {
            _problems.Add(new Problem(
                wrong.Span.Start.Line + 1,
                wrong.Span.Start.Column + 1,
                $"not valid TOML: {Label.Clip(wrong.Message)}",
                "",
                ""));
        }
    }

    private void Take(TomlParseEvent now)
    {
        switch (now.Kind)
        {
            case TomlParseEventKind.PropertyName:
                Settle(now.Line);
                NoteHeader(now.Span?.Offset ?? _offset);
                _key = (_parser.GetPropertyName(), now.Line, now.Column);
                break;
            case TomlParseEventKind.StartTable:
                _open.Push(Table(now));
                _key = null;
                break;
            case TomlParseEventKind.StartArray:
                _open.Push(List(now));
                break;
            case TomlParseEventKind.EndTable or TomlParseEventKind.EndArray:
                Settle(0);
                _open.Pop();
                _key = null;
                break;
            case TomlParseEventKind.StartDocument or TomlParseEventKind.EndDocument:
                break;
            default:
                Put(Value(now));
                _key = null;
                break;
        }
    }

    private readonly Node Value(TomlParseEvent now) => now.Kind switch
    {
        TomlParseEventKind.String => new TextNode(now.Line, now.Column, _parser.GetString()),
        TomlParseEventKind.Integer => new IntegerNode(now.Line, now.Column, now.GetInt64()),
        TomlParseEventKind.Boolean => new BooleanNode(now.Line, now.Column, now.GetBoolean()),
        TomlParseEventKind.Float => new OtherNode(now.Line, now.Column, "a fraction", Raw(now)),
        _ => new OtherNode(now.Line, now.Column, "a date or time", Raw(now)),
    };

    private readonly string Raw(TomlParseEvent now) => now.Span is { } span ? _text.Substring(span.Offset, span.Length) : "";

    private TableNode Table(TomlParseEvent now)
    {
        if (_open.Count == 0)
            return _root;
        // With braces it has a place of its own.
        if (now.Span is not null)
        {
            var inline = new TableNode(now.Line, now.Column);
            Put(inline);
            return inline;
        }

        if (_open.Peek() is ListNode list)
            return Item(list);
        if (_key is not var (name, line, column))
            return new TableNode(_line, 1);
        var isHeader = IsHeader(line);
        if (_open.Peek() is TableNode around && around.Entries.TryGetValue(name, out var there))
            return Continue(there.Value, name, line, column, isHeader);
        var made = new TableNode(line, column) { Origin = isHeader ? TableOrigin.Header : TableOrigin.Dotted };
        Put(made);
        _opened = isHeader ? (made, line) : null;
        return made;
    }

    // [a.c] after [a] and others, or [list.inner] after [[list]]: the same table, or the list's last.
    private TableNode Continue(Node there, string name, int line, int column, bool isHeader)
    {
        if (there is ListNode { IsOfHeaders: true, Items: [.., TableNode last] } && isHeader)
            return last;
        if (there is not TableNode { Origin: not TableOrigin.Whole } table)
        {
            var why = there is TableNode ? "is given twice" : "is a value above and a table here";
            _problems.Add(new Problem(line, column, why, Label.Clip(name), ""));
            return new TableNode(line, column);
        }

        if (isHeader)
            _again = (table, name, line, column);
        return table;
    }

    private TableNode Item(ListNode list)
    {
        var (line, column) = _key is { } key ? (key.Line, key.Column) : NextItem();
        var item = new TableNode(line, column) { Origin = TableOrigin.Header };
        list.Items.Add(item);
        return item;
    }

    private ListNode List(TomlParseEvent now)
    {
        if (now.Span is not null)
        {
            var inline = new ListNode(now.Line, now.Column, []);
            Put(inline);
            _key = null;
            return inline;
        }

        var (name, line, column) = _key ?? ("", _line, 1);
        if (_open.Peek() is TableNode around && around.Entries.TryGetValue(name, out var there))
        {
            if (there.Value is ListNode { IsOfHeaders: true } known)
                return known;
            _problems.Add(new Problem(line, column, "is a value above and a list of tables here", Label.Clip(name), ""));
            return new ListNode(line, column, []);
        }

        var made = new ListNode(line, column, []) { IsOfHeaders = true };
        Put(made);
        return made;
    }

    private readonly void Put(Node value)
    {
        if (_open.Peek() is ListNode list)
            list.Items.Add(value);
        else if (_open.Peek() is TableNode table
            && _key is var (name, line, column)
            && !table.Entries.TryAdd(name, new Entry(line, column, value)))
        {
            _problems.Add(new Problem(line, column, "is given twice", Label.Clip(name), ""));
        }
    }

    /// <param name="line">Of the name that comes next; 0: there is none.</param>
    private void Settle(int line)
    {
        if (_opened is var (made, first) && first == line)
            made.Origin = TableOrigin.Implied;
        _opened = null;
        if (_again is var (table, name, second, column) && second != line)
            HasHeader(table, name, second, column);
        _again = null;
    }

    private readonly void HasHeader(TableNode table, string name, int line, int column)
    {
        if (table.Origin != TableOrigin.Implied)
            _problems.Add(new Problem(line, column, "is given twice", Label.Clip(name), ""));
        table.Origin = TableOrigin.Header;
    }

    // The header of the table that is open, or of one around it, makes no event: it stands between two keys.
    private readonly void NoteHeader(int upTo)
    {
        if (upTo <= _offset || _open.Peek() is not TableNode { Origin: not TableOrigin.Whole } table)
            return;
        var between = _text.AsSpan(_offset, upTo - _offset);
        if (!between.Contains('['))
            return;
        var line = _line;
        // What stands in the line of the key is its own.
        var whole = between[..(between.LastIndexOf('\n') + 1)];
        foreach (var row in whole.EnumerateLines())
        {
            var start = row.TrimStart(" \t");
            if (start.StartsWith("[") && !start.StartsWith("[["))
                HasHeader(table, start.Trim(" \t[]").ToString(), line, row.Length - start.Length + 2);
            line++;
        }
    }

    private readonly bool IsHeader(int line) =>
        line == _line && _text.AsSpan(0, _offset) is var read && read[(read.LastIndexOf('\n') + 1)..].TrimStart(" \t").StartsWith("[");

    // Where the name of the next [[name]] stands.
    private (int Line, int Column) NextItem()
    {
        for (var from = _offset; from < _text.Length;)
        {
            var end = _text.IndexOf('\n', from) is >= 0 and var found ? found : _text.Length;
            var row = _text.AsSpan(from, end - from);
            var start = row.TrimStart(" \t");
            if (start.StartsWith("[["))
            {
                Advance(end);
                return (_line, row.Length - start[2..].TrimStart(" \t").Length + 1);
            }

            from = end + 1;
        }

        return (_line, 1);
    }

    private void Advance(int to)
    {
        if (to <= _offset)
            return;
        _line += _text.AsSpan(_offset, to - _offset).Count('\n');
        _offset = to;
    }
}
