namespace Mcp.Model.Definition.Toml;

/// <summary>A TOML value with the place where it stands. Line and column count from 1.</summary>
internal abstract record TomlNode(int Line, int Column);

internal sealed record TomlText(int Line, int Column, string Value) : TomlNode(Line, Column);

internal sealed record TomlInteger(int Line, int Column, long Value) : TomlNode(Line, Column);

internal sealed record TomlBoolean(int Line, int Column, bool Value) : TomlNode(Line, Column);

/// <summary>A date, float or anything else that service files have no use for; Kind names it.</summary>
internal sealed record TomlOther(int Line, int Column, string Kind) : TomlNode(Line, Column);

internal sealed record TomlList(int Line, int Column, List<TomlNode> Items) : TomlNode(Line, Column);

internal sealed record TomlTable(int Line, int Column, TomlEntries Entries) : TomlNode(Line, Column);

internal sealed record TomlEntry(int Line, int Column, TomlNode Value);
