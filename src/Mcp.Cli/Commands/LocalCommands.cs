using System.CommandLine;
using Mcp.Usage;

namespace Mcp.Cli.Commands;

/// <summary>version, completion: commands that talk to nobody.</summary>
internal static class LocalCommands
{
    public static IEnumerable<Command> All()
    {
        var version = new Command("version", "Print the version");
        version.SetAction(_ => Console.Out.WriteLine($"mcp {typeof(LocalCommands).Assembly.GetName().Version?.ToString(3)}"));
        yield return version;
        var shell = new Argument<string>("shell") { HelpName = "bash|zsh|fish" };
        shell.OnlyFrom("bash", "zsh", "fish");
        var completion = new Command("completion", "Print a completion script: source <(mcp completion bash)") { shell };
        completion.SetAction(parsed => Console.Out.WriteLine(Script(parsed.GetValue(shell)!)));
        yield return completion;
    }

    private static string Script(string shell) => shell switch
    {
        "bash" => """
            _mcp() { local IFS=$'\n'; COMPREPLY=($(compgen -W "$(mcp "[suggest:${COMP_POINT}]" "${COMP_LINE}" 2>/dev/null)" -- "${COMP_WORDS[COMP_CWORD]}")); }
            complete -o default -F _mcp mcp
            """,
        "zsh" => """
            _mcp() { local -a found; found=("${(@f)$(mcp "[suggest:${#BUFFER}]" "${BUFFER}" 2>/dev/null)}"); compadd -a found; }
            compdef _mcp mcp
            """,
        _ => """complete -c mcp -f -a '(mcp "[suggest:"(commandline -C)"]" (commandline -cp) 2>/dev/null)'""",
    };
}
