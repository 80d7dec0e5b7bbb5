using System.CommandLine;
using System.CommandLine.Parsing;
using Mcp.Model.Definition;
using Mcp.Model.Names;

namespace Mcp.Usage;

/// <summary>What is wrong with a command line, in words for people; all of it at once.</summary>
internal static class Mistakes
{
    public static IReadOnlyList<string> Of(ParseResult parsed)
    {
        var called = parsed.CommandResult;
        List<string> found = [.. Unknown(parsed), .. Missing(parsed, called), .. called.Children.SelectMany(Wrong)];
        return found.Count > 0 ? found : [.. parsed.Errors.Select(e => e.Message)];
    }

    /// <summary>The command as it is called: the program and the words up to it.</summary>
    public static string Call(CommandResult called) => called switch
    {
        { Command: RootCommand root } => root.HelpName ?? root.Name,
        { Parent: CommandResult parent } => $"{Call(parent)} {called.Command.Name}",
        _ => called.Command.Name,
    };

    /// <summary>What looks like an option and was taken for an argument. Behind -- everything is one.</summary>
    public static IReadOnlyList<string> Options(ParseResult parsed)
    {
        var before = parsed.Tokens.TakeWhile(t => t.Type != TokenType.DoubleDash).ToHashSet();
        return [.. parsed.CommandResult.Children.OfType<ArgumentResult>().SelectMany(a => a.Tokens)
            .Where(t => before.Contains(t) && IsOption(t.Value))
            .Select(t => t.Value)];
    }

    public static string Unknown(Command command, string call, string word) =>
        $"{call} has no command '{Label.Clip(word)}'{Nearest(word, Shown(command.Subcommands).Select(c => c.Name))}";

    // What follows an unknown option is most likely its value.
    private static IEnumerable<string> Unknown(ParseResult parsed)
    {
        var command = parsed.CommandResult.Command;
        var call = Call(parsed.CommandResult);
        var words = parsed.UnmatchedTokens;
        if (words is [var first, ..] && !IsOption(first) && command.Subcommands.Count > 0)
            return [Unknown(command, call, first)];
        var options = words.Where(IsOption).Concat(Options(parsed)).ToList();
        var known = Shown(command.Options).SelectMany(o => o.Aliases.Prepend(o.Name)).ToList();
        if (options.Count > 0)
            return options.Select(o => $"{call} has no option {Label.Clip(o)}{Nearest(o, known)}");
        return words.Count == 0 ? [] : [$"'{Label.Clip(words[0])}' is one argument too many for {call}"];
    }

    private static IEnumerable<string> Missing(ParseResult parsed, CommandResult called)
    {
        foreach (var option in called.Command.Options.Where(o => o.Required && called.GetResult(o) is null or { Implicit: true }))
            yield return $"{option.Name} is missing";
        int Given(Argument argument) => called.GetResult(argument)?.Tokens.Count ?? 0;
        foreach (var argument in called.Command.Arguments.Where(a => Given(a) < a.Arity.MinimumNumberOfValues))
            yield return $"{Call(called)} needs <{argument.HelpName ?? argument.Name}>";
        if (called.Command.Subcommands.Count > 0 && parsed.UnmatchedTokens.Count == 0)
            yield return $"{Call(called)} needs a command: {string.Join(", ", Shown(called.Command.Subcommands).Select(c => c.Name))}";
    }

    private static IEnumerable<string> Wrong(SymbolResult symbol) => symbol switch
    {
        OptionResult { Implicit: true } => [],
        ArgumentResult { Argument.Arity.MinimumNumberOfValues: > 0, Tokens.Count: 0 } => [],
        OptionResult { Option: { Arity.MaximumNumberOfValues: 1 } option, IdentifierTokenCount: > 1 } given =>
            [$"{option.Name} may be given only once"],
        OptionResult { Option: { Arity.MinimumNumberOfValues: > 0 } option, Tokens.Count: 0 } =>
            [$"{option.Name} needs a value"],
        _ => symbol.Errors.Select(e => e.Message),
    };

    private static IEnumerable<T> Shown<T>(IEnumerable<T> symbols) where T : Symbol => symbols.Where(s => !s.Hidden);

    private static bool IsOption(string token) => token.Length > 1 && token[0] == '-';

    /// <summary>To be put behind what is wrong; empty where nothing is near.</summary>
    public static string Nearest(string word, IEnumerable<string> candidates) =>
        DidYouMean.Nearest(word, candidates) is { } near ? $"; did you mean {near}?" : "";
}
