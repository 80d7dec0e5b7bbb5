using Google.Protobuf;

namespace Mcp.Cli.Output;

/// <summary>Results as tables for people and JSON for programs.</summary>
internal sealed class Printer(bool json)
{
    private static readonly JsonFormatter s_formatter = new(
        JsonFormatter.Settings.Default.WithFormatDefaultValues(true).WithPreserveProtoFieldNames(true));

    // ECMA-48 foreground colours.
    private const int Red = 31;
    private const int Green = 32;
    private const int Yellow = 33;

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

        var all = rows.Select(row => Array.ConvertAll(row, Visible.Text)).ToList();
        if (all.Count == 0)
        {
            Console.Out.WriteLine(Visible.Text(nothing));
            return;
        }

        // No folding: a line that is too long for the terminal wraps there and can still be copied and searched.
        var widths = columns.Select((c, i) => all.Select(r => r[i].Length).Append(c.Length).Max()).ToArray();
        var colours = Colours();
        foreach (var row in all.Prepend(columns))
        {
            var cells = row.Select((cell, i) => Paint(cell, i == row.Length - 1 ? 0 : widths[i], colours && row != columns));
            Console.Out.WriteLine(string.Join("  ", cells).TrimEnd());
        }
    }

    /// <summary>https://no-color.org</summary>
    public static bool Colours() =>
        !Console.IsOutputRedirected
            && string.IsNullOrEmpty(Environment.GetEnvironmentVariable("NO_COLOR"))
            && Environment.GetEnvironmentVariable("TERM") is not (null or "dumb");

    private static string Paint(string cell, int width, bool colours)
    {
        var colour = !colours ? 0 : cell switch
        {
            "running" or "ok" or "reachable" => Green,
            "failed" or "missing" or "removed" or "unusable" or "unreachable" => Red,
            "exited" or "stopped" => Yellow,
            _ => cell.EndsWith("(flapping)", StringComparison.Ordinal) || cell.EndsWith("(unhealthy)", StringComparison.Ordinal) ? Red : 0,
        };
        return colour == 0 ? cell.PadRight(width) : $"\e[{colour}m{cell}\e[0m{new string(' ', Math.Max(0, width - cell.Length))}";
    }
}
