using System.CommandLine;
using Mcp.Cli.Connection;
using Mcp.Cli.Output;
using Mcp.Model.Names;
using Mcp.Usage;

namespace Mcp.Cli.Commands;

/// <summary>What every command that talks to an agent has: --direct, -o, a connection, and our errors.</summary>
internal static class AgentCommand
{
    public static readonly TimeSpan Quick = TimeSpan.FromSeconds(15);

    /// <summary>Of what waits for instances to end: each may take its <c>stop_grace</c>.</summary>
    public static readonly TimeSpan Slow = TimeSpan.FromMinutes(30);

    public static Command Create(
        string name,
        string description,
        IEnumerable<Symbol> symbols,
        Func<ParseResult, AgentConnection, Printer, CancellationToken, Task<int>> run)
    {
        var command = new Command(name, description);
        var direct = Values.Address("--direct", "address:port of one agent (default: the master or agent you logged in to)");
        var output = new Option<string>("--output", "-o")
        {
            Description = "table or json",
            DefaultValueFactory = _ => "table",
            HelpName = "FORMAT",
        };
        output.OnlyFrom("table", "json");
        command.Add(direct);
        command.Add(output);
        foreach (var symbol in symbols)
        {
            if (symbol is Argument argument)
                command.Add(argument);
            else
                command.Add((Option)symbol);
        }

        command.SetAction(async (parsed, ct) =>
        {
            var asked = parsed.GetValue(direct) ?? "";
            try
            {
                var login = Login.Read();
                asked = asked.Length > 0 ? asked : login.Address;
                using var connection = new AgentConnection(login, asked);
                return await run(parsed, connection, new Printer(parsed.GetValue(output) == "json"), ct);
            }
            catch (Exception e) when (e is not OutOfMemoryException)
            {
                return Failure.Show(e, asked);
            }
        });
        return command;
    }

    /// <summary>service or service/component, both checked.</summary>
    public static (string Service, string Component) Target(string text)
    {
        var slash = text.IndexOf('/', StringComparison.Ordinal);
        var service = slash < 0 ? text : text[..slash];
        var component = slash < 0 ? "" : text[(slash + 1)..];
        return (Label.Parse(service).Text, slash < 0 ? "" : Label.Parse(component).Text);
    }
}
