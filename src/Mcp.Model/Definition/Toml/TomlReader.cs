using Tomlyn.Parsing;
using Tomlyn.Syntax;

namespace Mcp.Model.Definition.Toml;

/// <summary>TOML text to a tree that remembers where everything stands.</summary>
internal sealed class TomlReader(List<Problem> problems)
{
    private const int MaxSyntaxProblems = 20;

    public static TomlTable Read(string text, string file, List<Problem> problems)
    {
        var document = SyntaxParser.Parse(text, file, validate: true);
        foreach (var message in document.Diagnostics.Where(d => d.Kind == DiagnosticMessageKind.Error).Take(MaxSyntaxProblems))
            problems.Add(new Problem(message.Span.Start.Line + 1, message.Span.Start.Column + 1, $"not valid TOML: {Names.Label.Clip(message.Message)}", "", ""));
        var root = new TomlTable(1, 1, new TomlEntries());
        if (problems.Count > 0)
            return root;
        var reader = new TomlReader(problems);
        reader.Add(root, document.KeyValues);
        foreach (var table in document.Tables)
            reader.Add(root, table);
        return root;
    }

    private void Add(TomlTable root, TableSyntaxBase table)
    {
        var path = Path(table.Name);
        var parent = Descend(root, path, path.Count - 1);
        if (parent is null)
            return;
        var (name, node) = path[^1];
        var (line, column) = At(node);
        var target = new TomlTable(line, column, new TomlEntries());
        if (table is TableArraySyntax)
        {
            if (!parent.Entries.TryGetValue(name, out var entry))
                parent.Entries[name] = entry = new TomlEntry(line, column, new TomlList(line, column, []));
            if (entry.Value is not TomlList list)
            {
                problems.Add(new Problem(line, column, "is a value above and a table here", name, ""));
                return;
            }

            list.Items.Add(target);
        }
        else if (parent.Entries.TryGetValue(name, out var entry) && entry.Value is TomlTable existing)
        {
            target = existing;
        }
        else if (!parent.Entries.TryAdd(name, new TomlEntry(line, column, target)))
        {
            problems.Add(new Problem(line, column, "is given twice", name, ""));
        }

        Add(target, table.Items);
    }

    private void Add(TomlTable target, IEnumerable<KeyValueSyntax> pairs)
    {
        foreach (var pair in pairs)
        {
            var path = Path(pair.Key);
            var table = Descend(target, path, path.Count - 1);
            var (line, column) = At(path[^1].Node);
            if (table is not null && !table.Entries.TryAdd(path[^1].Name, new TomlEntry(line, column, Value(pair.Value))))
                problems.Add(new Problem(line, column, "is given twice", path[^1].Name, ""));
        }
    }

    private TomlTable? Descend(TomlTable from, List<(string Name, SyntaxNodeBase? Node)> path, int depth)
    {
        var table = from;
        for (var i = 0; i < depth; i++)
        {
            var (line, column) = At(path[i].Node);
            if (!table.Entries.TryGetValue(path[i].Name, out var entry))
                table.Entries[path[i].Name] = entry = new TomlEntry(line, column, new TomlTable(line, column, new TomlEntries()));
            var next = entry.Value is TomlList { Items: [.., var last] } ? last : entry.Value;
            if (next is not TomlTable inner)
            {
                problems.Add(new Problem(line, column, "is a value above and a table here", path[i].Name, ""));
                return null;
            }

            table = inner;
        }

        return table;
    }

    private TomlNode Value(SyntaxNode? node)
    {
        var (line, column) = At(node);
        switch (node)
        {
            case StringValueSyntax text:
                return new TomlText(line, column, text.Value ?? "");
            case IntegerValueSyntax number:
                return new TomlInteger(line, column, number.Value);
            case BooleanValueSyntax truth:
                return new TomlBoolean(line, column, truth.Value);
            case ArraySyntax array:
                return new TomlList(line, column, [.. array.Items.Select(item => Value(item.Value))]);
            case InlineTableSyntax inline:
                var table = new TomlTable(line, column, new TomlEntries());
                Add(table, inline.Items.Select(item => item.KeyValue).OfType<KeyValueSyntax>());
                return table;
            default:
                return new TomlOther(line, column, node?.Kind.ToString() ?? "nothing");
        }
    }

    private static List<(string Name, SyntaxNodeBase? Node)> Path(KeySyntax? key)
    {
        var path = new List<(string, SyntaxNodeBase?)> { (Name(key?.Key), key) };
        if (key is not null)
            path.AddRange(key.DotKeys.Select(dotted => (Name(dotted.Key), (SyntaxNodeBase?)dotted.Key)));
        return path;
    }

    private static string Name(SyntaxNode? key) => key switch
    {
        BareKeySyntax bare => bare.Key?.Text ?? "",
        StringValueSyntax text => text.Value ?? "",
        _ => "",
    };

    private static (int Line, int Column) At(SyntaxNodeBase? node) =>
        node is null ? (1, 1) : (node.Span.Start.Line + 1, node.Span.Start.Column + 1);
}
