using Mcp.Cli.Output;
using Mcp.Protocol.V1;

namespace Mcp.UnitTests.Cli;

/// <summary>Log lines as a terminal, a file and a pipe get them.</summary>
public sealed class LogPrinterTests
{
    private const string Escape = "\e";

    [Theory]
    [InlineData("plain", "plain")]
    [InlineData($"{Escape}[31mred", $"{Escape}[31mred{Escape}[0m")]
    [InlineData($"{Escape}[38;5;8mgrey", $"{Escape}[38;5;8mgrey{Escape}[0m")]
    [InlineData($"{Escape}[38;2;8;8;8;1mgrey", $"{Escape}[38;2;8;8;8;1mgrey{Escape}[0m")]
    [InlineData($"{Escape}[8mhidden", "\\x1B[8mhidden")]
    [InlineData($"{Escape}[1;08mhidden", "\\x1B[1;08mhidden")]
    [InlineData($"{Escape}]0;title\a", "\\x1B]0;title\\x07")]
    [InlineData($"{Escape}[2J", "\\x1B[2J")]
    public void On_a_terminal_a_line_has_its_colours_to_its_end_and_nothing_else(string text, string shown) =>
        Assert.Equal(shown, Visible.Output(text));

    [Fact]
    public async Task On_a_terminal_names_are_aligned_and_each_has_a_colour()
    {
        Assert.Equal(
            [$"{Escape}[36mlonger |{Escape}[0m one", $"{Escape}[33mweb    |{Escape}[0m {Escape}[31mtwo{Escape}[0m"],
            await ShownAsync(isTerminal: true, isColoured: true, raw: false, Line("longer", "one"), Line("web", $"{Escape}[31mtwo\r")));
        Assert.Equal(
            ["longer | one", "web    | two"],
            await ShownAsync(isTerminal: true, isColoured: false, raw: false, Line("longer", "one"), Line("web", "two")));
    }

    [Fact]
    public async Task In_a_pipe_and_raw_a_line_is_as_it_was_written()
    {
        var line = Line("web", $"{Escape}[8mhidden\r");
        Assert.Equal([$"web | {line.Text}"], await ShownAsync(isTerminal: false, isColoured: false, raw: false, line));
        Assert.Equal([$"web | {line.Text}"], await ShownAsync(isTerminal: true, isColoured: false, raw: true, line));
    }

    [Fact]
    public async Task Pieces_make_one_line_unless_another_comes_between()
    {
        var piece = Line("web", "a");
        piece.Continues = true;
        Assert.Equal(["web | ab"], await ShownAsync(isTerminal: false, isColoured: false, raw: false, piece, Line("web", "b")));
        Assert.Equal(
            ["web | a", "db | c", "web | b"],
            await ShownAsync(isTerminal: false, isColoured: false, raw: false, piece, Line("db", "c"), Line("web", "b")));
        Assert.Equal(["web | a"], await ShownAsync(isTerminal: false, isColoured: false, raw: false, piece));
    }

    private static LogLine Line(string component, string text) => new() { Service = "blog", Component = component, Text = text };

    private static async Task<string[]> ShownAsync(bool isTerminal, bool isColoured, bool raw, params LogLine[] lines)
    {
        await using var output = new StringWriter();
        var ends = new LogEnds(output, output, isTerminal, isTerminal, isColoured);
        var printer = new LogPrinter(new Printer(Format.Wide), named: true, several: false, stamped: false, raw, ends);
        foreach (var line in lines)
            await printer.WriteAsync(line);
        await printer.EndAsync();
        return output.ToString()[..^1].Split('\n');
    }
}
