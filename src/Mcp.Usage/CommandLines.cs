using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using System.CommandLine.Parsing;

namespace Mcp.Usage;

/// <summary>How each of the three programs reads its command line.</summary>
public static class CommandLines
{
    private const int Wrong = 2;

    // A file that is called @x is a file, and not more arguments.
    private static readonly ParserConfiguration s_parser = new() { ResponseFileTokenReplacer = null };

    /// <param name="name">What it is called, however its file is.</param>
    /// <param name="groups">Commands that belong together, under a title each.</param>
    /// <param name="examples">By the command as it is called, such as "mcp node list".</param>
    public static RootCommand Program(
        string name,
        string does,
        IReadOnlyList<(string Title, IReadOnlyList<Command> Commands)> groups,
        IReadOnlyDictionary<string, string[]> examples)
    {
        var program = new RootCommand(does) { HelpName = name };
        foreach (var command in groups.SelectMany(g => g.Commands))
            program.Add(command);
        var version = Version(name);
        program.Add(version);
        program.Add(Help(program));
        IReadOnlyList<(string Title, IReadOnlyList<Command> Commands)> all = [.. groups.SkipLast(1), With(groups[^1], version)];
        program.Options.OfType<VersionOption>().Single().Action = new Told(called => called.Output.WriteLine(VersionOf(name)));
        var help = program.Options.OfType<HelpOption>().Single();
        // Those of another system: here they are paths.
        foreach (var path in help.Aliases.Where(a => a[0] == '/').ToList())
            help.Aliases.Remove(path);
        help.Action = new HelpText((HelpAction)help.Action!, all, examples);
        ShowWithoutSubcommand(program, help.Action);
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
        // Whoever asks for help gets it, whatever else is there.
        if (parsed.Action is HelpText or Told || (parsed.Action is not ParseErrorAction && Mistakes.Options(parsed).Count == 0))
            return await parsed.InvokeAsync(io, ct);
        return await RefuseAsync(Mistakes.Of(parsed), Mistakes.Call(parsed.CommandResult), program, IsJson(parsed), io);
    }

    private static async Task<int> RefuseAsync(
        IReadOnlyList<string> mistakes,
        string call,
        RootCommand program,
        bool json,
        InvocationConfiguration io)
    {
        var (what, hint) = (string.Join("; ", mistakes), $"{call} --help");
        await io.Error.WriteLineAsync(json ? ErrorJson.Of("usage", what, hint, Wrong) : $"{program.HelpName}: {what}\n  -> {hint}");
        return Wrong;
    }

    private static bool IsJson(ParseResult parsed) =>
        parsed.CommandResult.Children.OfType<OptionResult>().Any(o => o.Option.Name == "--output" && o.Tokens is [{ Value: "json" }]);

    // One that is only the name of others says which.
    private static void ShowWithoutSubcommand(Command command, CommandLineAction help)
    {
        if (command.Subcommands.Count > 0 && command.Action is null)
            command.Action = new Shown((HelpText)help);
        foreach (var below in command.Subcommands)
            ShowWithoutSubcommand(below, help);
    }

    private static (string Title, IReadOnlyList<Command> Commands) With(
        (string Title, IReadOnlyList<Command> Commands) group,
        Command more) => (group.Title, [.. group.Commands, more]);

    private static Command Version(string name)
    {
        var version = new Command("version", "Print the version");
        version.SetAction(called => called.InvocationConfiguration.Output.WriteLine(VersionOf(name)));
        return version;
    }

    private static string VersionOf(string name) => $"{name} {typeof(CommandLines).Assembly.GetName().Version?.ToString(3)}";

    private static Command Help(RootCommand program)
    {
        var words = new Argument<string[]>("command") { Arity = ArgumentArity.ZeroOrMore };
        words.CompletionSources.Add(_ => program.Subcommands.Where(c => !c.Hidden).Select(c => c.Name));
        var help = new Command("help", "Show help: of everything, or of one command") { words };
        help.SetAction((called, ct) =>
        {
            var (named, io) = (called.GetValue(words) ?? [], called.InvocationConfiguration);
            var (command, call) = ((Command)program, program.HelpName!);
            foreach (var word in named)
            {
                if (command.Subcommands.FirstOrDefault(c => c.Name == word) is not { } below)
                    return RefuseAsync([Mistakes.Unknown(command, call, word)], call, program, json: false, io);
                (command, call) = (below, $"{call} {word}");
            }

            return program.RunAsync([.. named, "--help"], io, ct);
        });
        help.Hidden = true;
        return help;
    }

    private sealed class Told(Action<InvocationConfiguration> tell) : SynchronousCommandLineAction
    {
        public override bool ClearsParseErrors => true;

        public override int Invoke(ParseResult parseResult)
        {
            tell(parseResult.InvocationConfiguration);
            return 0;
        }
    }

    private sealed class Shown(HelpText help) : SynchronousCommandLineAction
    {
        public override int Invoke(ParseResult parseResult) => help.Invoke(parseResult);
    }
}
