using Tomlyn;
using Tomlyn.Parsing;

namespace Mcp.Model.Definition.Toml;

/// <summary>The quick way for text without mistakes, a tenth of the time of a syntax tree: events to the same tree of values, without exact places.
/// Gives up on whatever could be a mistake; TomlReader then says what and where.</summary>
internal ref struct TomlEventReader
{
    private TomlParser _parser;

    private TomlEventReader(TomlParser parser) => _parser = parser;

    /// <returns>Null: read it with TomlReader.</returns>
    public static TomlTable? Read(string text)
    {
        if (RepeatsAHeader(text))
            return null;
        try
        {
            var reader = new TomlEventReader(TomlParser.Create(text, new TomlParserOptions { Mode = TomlParserMode.Tolerant, EagerStringValues = true }));
            reader._parser.MoveNext();
            reader._parser.MoveNext();
            var root = reader.Table();
            while (reader._parser.MoveNext())
            {
                // Whatever follows the root would be a mistake, and shows in the diagnostics.
            }

            return reader._parser.HasErrors ? null : root;
        }
        catch (Exception e) when (e is TomlException or InvalidOperationException or OverflowException or FormatException or ArgumentException)
        {
            return null;
        }
    }

    /// <summary>The parser merges [t] with a second [t], which TOML forbids. May answer yes for a harmless text.</summary>
    private static bool RepeatsAHeader(string text)
    {
        HashSet<string>? since = null;
        foreach (var line in text.AsSpan().EnumerateLines())
        {
            var start = line.TrimStart(" \t");
            if (start.Length < 2 || start[0] != '[')
                continue;
            if (start[1] == '[')
                since?.Clear();
            else if (start.ContainsAny('"', '\'') || !(since ??= []).Add(string.Concat(start.ToString().Where(c => c is not (' ' or '\t')))))
                return true;
        }

        return false;
    }

    private TomlTable? Table()
    {
        var entries = new TomlEntries();
        while (_parser.MoveNext() && _parser.Current.Kind == TomlParseEventKind.PropertyName)
        {
            var name = _parser.GetPropertyName();
            // A key that comes twice may be a mistake, or a table that is gone on with: the exact reader knows.
            if (!_parser.MoveNext() || Value() is not { } value || !entries.TryAdd(name, new TomlEntry(1, 1, value)))
                return null;
        }

        return _parser.Current.Kind == TomlParseEventKind.EndTable ? new TomlTable(1, 1, entries) : null;
    }

    private TomlNode? Value() => _parser.Current.Kind switch
    {
        TomlParseEventKind.String => new TomlText(1, 1, _parser.GetString()),
        TomlParseEventKind.Integer => new TomlInteger(1, 1, _parser.Current.GetInt64()),
        TomlParseEventKind.Boolean => new TomlBoolean(1, 1, _parser.Current.GetBoolean()),
        TomlParseEventKind.StartTable => Table(),
        TomlParseEventKind.StartArray => List(),
        _ => null,
    };

    private TomlList? List()
    {
        var items = new List<TomlNode>();
        while (_parser.MoveNext() && _parser.Current.Kind != TomlParseEventKind.EndArray)
        {
            if (Value() is not { } value)
                return null;
            items.Add(value);
        }

        return new TomlList(1, 1, items);
    }
}
