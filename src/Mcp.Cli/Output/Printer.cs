using System.Text.Json.Nodes;
using Google.Protobuf;

namespace Mcp.Cli.Output;

/// <summary>How -o says that results look.</summary>
internal enum Format
{
    /// <summary>What fits on the terminal; in a pipe as <see cref="Wide"/>.</summary>
    Table,

    /// <summary>All columns, exact times.</summary>
    Wide,

    /// <summary>One object; of what goes on, one in each line.</summary>
    Json,
}

/// <summary>Results as tables for people and JSON for programs.</summary>
internal sealed class Printer(Format format)
{
    public bool Json => format == Format.Json;

    /// <summary>Of the lines of a person's terminal; null: lines are as long as they are.</summary>
    public int? Width => format == Format.Table ? Terminal.Size?.Columns : null;

    public static void Message(IMessage message) => Object(Output.Json.Of(message));

    public static void Object(JsonObject json) => Console.Out.WriteLine(json.ToJsonString());

    /// <summary>One JSON object, or the table.</summary>
    public void Show(IMessage message, Table table, string nothing)
    {
        if (Json)
            Message(message);
        else
            Show(table, nothing);
    }

    /// <inheritdoc cref="Show(IMessage, Table, string)"/>
    public void Show(JsonObject json, Table table, string nothing)
    {
        if (Json)
            Object(json);
        else
            Show(table, nothing);
    }

    /// <summary>As they would be shown.</summary>
    public IEnumerable<string> Lines(Table table, string nothing) =>
        table.IsEmpty ? [Visible.Text(nothing)] : table.Lines(Width, exact: Width is null, Colours());

    /// <summary>A sentence, folded where it is too long for the terminal.</summary>
    public IEnumerable<string> Sentence(string text) =>
        Width is { } width ? Table.Fold(Visible.Text(text), width) : [Visible.Text(text)];

    /// <summary>One line, cut where it is too long for the terminal.</summary>
    public string Line(string text) => Width is { } width ? Table.Cut(Visible.Text(text), width) : Visible.Text(text);

    private void Show(Table table, string nothing)
    {
        foreach (var line in Lines(table, nothing))
            Console.Out.WriteLine(line);
    }

    /// <summary>https://no-color.org</summary>
    public static bool Colours() =>
        !Console.IsOutputRedirected
            && string.IsNullOrEmpty(Environment.GetEnvironmentVariable("NO_COLOR"))
            && Environment.GetEnvironmentVariable("TERM") is not (null or "dumb");
}
