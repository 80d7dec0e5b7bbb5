using Mcp.Protocol.V1;

namespace Mcp.Cli.Output;

/// <summary>Log lines as people and programs read them.</summary>
/// <param name="named">Whether what a line is of goes before it.</param>
/// <param name="several">Of several services, so a component's name does not tell.</param>
/// <param name="ends">Where they go.</param>
internal sealed class LogPrinter(Printer printer, bool named, bool several, bool stamped, bool raw, LogEnds ends)
{
    // ECMA-48 foreground colours but for red, which is for what went wrong, and black and white.
    private static readonly int[] s_colours = [36, 33, 32, 35, 34, 96, 93, 92, 95, 94];
    private readonly Dictionary<string, int> _colours = [];
    private int _width;

    // What the last line was of, which went on.
    private (string Name, bool Stderr)? _open;

    public async Task WriteAsync(LogLine line)
    {
        if (printer.Json)
        {
            Printer.Message(line);
            return;
        }

        var (to, isTerminal) = line.Stderr ? (ends.Error, ends.IsErrorTerminal) : (ends.Out, ends.IsOutTerminal);
        var name = Name(line);
        var goesOn = _open == (name, line.Stderr);
        if (_open is { } open && !goesOn)
            await (open.Stderr ? ends.Error : ends.Out).WriteLineAsync();
        var stamp = stamped ? $"{line.Time.ToDateTimeOffset():yyyy-MM-ddTHH:mm:ss.fffZ} " : "";
        var head = goesOn ? "" : $"{stamp}{(named ? Head(name, isTerminal) : "")}";
        var text = raw || !isTerminal ? line.Text : Visible.Output(line.Text.TrimEnd('\r'));
        await to.WriteAsync(line.Continues ? $"{head}{text}" : $"{head}{text}{Environment.NewLine}");
        _open = line.Continues ? (name, line.Stderr) : null;
    }

    /// <summary>No more comes.</summary>
    public async Task EndAsync()
    {
        if (_open is { } open)
            await (open.Stderr ? ends.Error : ends.Out).WriteLineAsync();
    }

    // A master says of which node it is.
    private string Name(LogLine line)
    {
        var node = line.Node.Length > 0 ? $"@{line.Node}" : "";
        return several ? $"{line.Service}/{line.Component}{node}" : line.Component;
    }

    // On a terminal as wide as the longest yet, each in a colour of its own.
    private string Head(string name, bool isTerminal)
    {
        var shown = Visible.Text(name);
        if (!isTerminal)
            return $"{shown} | ";
        _width = Math.Max(_width, shown.Length);
        if (!ends.IsColoured)
            return $"{shown.PadRight(_width)} | ";
        if (!_colours.TryGetValue(name, out var colour))
            _colours[name] = colour = s_colours[_colours.Count % s_colours.Length];
        return $"\e[{colour}m{shown.PadRight(_width)} |\e[0m ";
    }
}

/// <summary>The two streams of a program's output.</summary>
internal sealed record LogEnds(TextWriter Out, TextWriter Error, bool IsOutTerminal, bool IsErrorTerminal, bool IsColoured)
{
    public static LogEnds OfConsole() =>
        new(Console.Out, Console.Error, !Console.IsOutputRedirected, !Console.IsErrorRedirected, Printer.Colours());
}
