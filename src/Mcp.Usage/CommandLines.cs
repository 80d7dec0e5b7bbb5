using System.CommandLine;
using System.CommandLine.Invocation;

namespace Mcp.Usage;

/// <summary>How each of the three programs reads its command line.</summary>
public static class CommandLines
{
    // A file that is called @x is a file, and not more arguments.
    private static readonly ParserConfiguration s_parser = new() { ResponseFileTokenReplacer = null };

    /// <param name="name">What it is called, however its file is.</param>
    public static RootCommand Program(string name, string does, IEnumerable<Command> commands)
    {
        var program = new RootCommand(does) { HelpName = name };
        foreach (var command in commands)
            program.Add(command);
        return program;
    }

    /// <summary>Reads the command line and runs the command. A wrong one is told in two lines, exit code 2, and nothing was run.</summary>
    /// <param name="program">Its <see cref="RootCommand.HelpName"/> is what the program is called.</param>
    /// <param name="arguments">Without the program's own name.</param>
    /// <param name="io">Where it writes to; help, asked for, is output.</param>
    /// <param name="ct">Handed to the command.</param>
    public static async Task<int> RunAsync(
        this RootCommand program, IReadOnlyList<string> arguments, InvocationConfiguration io, CancellationToken ct = default)
    {
        var parsed = program.Parse(arguments, s_parser);
        if (parsed.Action is not ParseErrorAction)
            return await parsed.InvokeAsync(io, ct);
        await io.Error.WriteLineAsync($"{program.HelpName}: {string.Join("; ", Mistakes.Of(parsed))}");
        await io.Error.WriteLineAsync($"  -> {Mistakes.Call(parsed.CommandResult)} --help");
        return 2;
    }
}
