using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;

namespace Mcp.Usage;

/// <summary>Help of the program with its commands in groups, and of each command with examples.</summary>
/// <param name="usual">Of a command, but for its examples.</param>
internal sealed class HelpText(
    HelpAction usual,
    IReadOnlyList<(string Title, IReadOnlyList<Command> Commands)> groups,
    IReadOnlyDictionary<string, string[]> examples) : SynchronousCommandLineAction
{
    public override bool ClearsParseErrors => true;

    public override int Invoke(ParseResult parseResult)
    {
        var (called, output) = (parseResult.CommandResult, parseResult.InvocationConfiguration.Output);
        if (called.Command is RootCommand program)
            Write(program, output);
        else
            usual.Invoke(parseResult);
        if (!examples.TryGetValue(Mistakes.Call(called), out var lines))
            return 0;
        output.WriteLine("Examples:");
        foreach (var line in lines)
            output.WriteLine($"  {line}");
        output.WriteLine();
        return 0;
    }

    private void Write(RootCommand program, TextWriter output)
    {
        output.WriteLine($"{program.Description}\n\nUsage: {program.HelpName} COMMAND [OPTIONS]");
        var width = groups.SelectMany(g => g.Commands).Max(c => c.Name.Length);
        foreach (var (title, commands) in groups)
        {
            output.WriteLine($"\n{title}:");
            foreach (var command in commands)
                output.WriteLine($"  {command.Name.PadRight(width)}  {command.Description}");
        }

        var name = program.HelpName;
        output.WriteLine($"\n{name} help COMMAND and {name} COMMAND --help tell more; --version prints the version.\n");
    }
}
