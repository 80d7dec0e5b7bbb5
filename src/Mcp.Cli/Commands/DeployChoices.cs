using System.CommandLine;
using Mcp.Model.Errors;
using Mcp.Model.Names;
using Mcp.Protocol.V1;

namespace Mcp.Cli.Commands;

/// <param name="File">Where it was read, for people.</param>
internal sealed record Wanted(string File, string Service, DeployRequest Request)
{
    /// <summary>No other one waits for its turn: where nobody reads any more it need not be followed to its end.</summary>
    public bool IsLast { get; init; } = true;
}

/// <summary>What deploy and plan are asked for in the same words.</summary>
internal sealed class DeployChoices(string nodeMeans)
{
    private readonly Argument<string[]> _targets = new("service|file[/component]")
    {
        Arity = ArgumentArity.ZeroOrMore,
        Description = "service files, directories of them, - for standard input, or names of files in $MCP_HOME/services "
            + "(default: the only service file here)",
    };

    private readonly Option<string?> _node = new("--node") { Description = nodeMeans, HelpName = "NODE" };
    private readonly Option<bool> _force = new("--force") { Description = "replace components that did not change, too" };
    private readonly Option<bool> _leaveData = DeployCommands.LeaveData();
    private readonly Option<string[]> _pull = new("--pull")
    {
        Description = "take the image that its registry has now for this component; may be given more than once",
        HelpName = "COMPONENT",
    };

    public IEnumerable<Symbol> All => [_targets, _node, _force, _pull, _leaveData];

    /// <summary>The service's name, also where a file is given.</summary>
    public string Target(ParseResult parsed) => parsed.GetValue(_targets) switch
    {
        [var one] => Label.TryParse(one, out var name) ? name.Text : ServiceSource.Read(one).Definition.Name.Text,
        _ => throw new McpException(ErrorCode.Usage, "--attach takes one service", "mcp deploy --attach SERVICE"),
    };

    /// <param name="plan">Empty: whatever it would do.</param>
    public async Task<IReadOnlyList<Wanted>> ReadAsync(ParseResult parsed, string plan, CancellationToken ct)
    {
        var read = await ServiceSource.ReadAllAsync(parsed.GetValue(_targets) ?? [], ct);
        var pull = parsed.GetValue(_pull) ?? [];
        if (read.Count > 1 && (plan.Length > 0 || pull.Length > 0))
        {
            throw new McpException(
                ErrorCode.Usage,
                $"{(plan.Length > 0 ? "--plan" : "--pull")} works with one service, and {read.Count} were given",
                "deploy that one by itself");
        }

        return
        [
            .. read.Select(r => new Wanted(
                r.File,
                r.Definition.Name.Text,
                new DeployRequest
                {
                    Definition = r.Text,
                    Component = r.Component,
                    Node = parsed.GetValue(_node) ?? "",
                    Force = parsed.GetValue(_force),
                    LeaveData = parsed.GetValue(_leaveData),
                    Pull = { pull },
                    Plan = plan,
                })),
        ];
    }
}
