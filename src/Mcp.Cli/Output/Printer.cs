using Google.Protobuf;
using Spectre.Console;

namespace Mcp.Cli.Output;

/// <summary>Results as tables for people and JSON for programs.</summary>
internal sealed class Printer(bool json)
{
    private static readonly JsonFormatter s_formatter = new(JsonFormatter.Settings.Default.WithFormatDefaultValues(true).WithPreserveProtoFieldNames(true));

    public bool Json => json;

    public static void Message(IMessage message) => Console.Out.WriteLine(s_formatter.Format(message));

    /// <summary>One JSON object, or the table.</summary>
    public void Show(IMessage message, string[] columns, IEnumerable<string[]> rows, string nothing)
    {
        if (json)
        {
            Message(message);
            return;
        }

        var all = rows.ToList();
        if (all.Count == 0)
        {
            Console.Out.WriteLine(nothing);
            return;
        }

        if (Console.IsOutputRedirected)
        {
            Plain(columns, all);
            return;
        }

        var table = new Table().Border(TableBorder.None);
        foreach (var column in columns)
            table.AddColumn(new TableColumn(new Markup($"[bold]{Markup.Escape(column)}[/]")).NoWrap().PadRight(3));
        foreach (var row in all)
            table.AddRow([.. row.Select(cell => new Markup(Coloured(cell)))]);
        AnsiConsole.Write(table);
    }

    private static void Plain(string[] columns, List<string[]> rows)
    {
        var widths = columns.Select((c, i) => rows.Select(r => r[i].Length).Append(c.Length).Max()).ToArray();
        foreach (var row in rows.Prepend(columns))
            Console.Out.WriteLine(string.Join("  ", row.Select((cell, i) => cell.PadRight(widths[i]))).TrimEnd());
    }

    private static string Coloured(string cell) => cell switch
    {
        "running" => "[green]running[/]",
        "failed" or "removed" or "unusable" => $"[red]{cell}[/]",
        "exited" or "stopped" => $"[yellow]{cell}[/]",
        _ => Markup.Escape(cell),
    };
}
