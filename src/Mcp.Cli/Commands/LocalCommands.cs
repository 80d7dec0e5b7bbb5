using System.CommandLine;
using Mcp.Usage;

namespace Mcp.Cli.Commands;

/// <summary>completion, which talks to nobody.</summary>
internal static class LocalCommands
{
    public static Command Completion()
    {
        var shell = new Argument<string>("shell") { HelpName = "bash|zsh|fish" };
        shell.OnlyFrom("bash", "zsh", "fish");
        var completion = new Command("completion", "Print a completion script for a shell") { shell };
        completion.SetAction(parsed => Console.Out.WriteLine(Script(parsed.GetValue(shell)!)));
        return completion;
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
