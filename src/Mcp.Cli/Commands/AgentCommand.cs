using System.CommandLine;
using Grpc.Core;
using Mcp.Cli.Connection;
using Mcp.Cli.Output;
using Mcp.Model.Names;
using Mcp.Usage;

namespace Mcp.Cli.Commands;

/// <summary>What every command that talks to an agent has: --direct, -o, a connection, and our errors.</summary>
internal static class AgentCommand
{
    public static readonly TimeSpan Quick = TimeSpan.FromSeconds(15);

    public static Command Create(
        string name,
        string description,
        IEnumerable<Symbol> symbols,
        Func<ParseResult, AgentConnection, Printer, CancellationToken, Task<int>> run)
    {
        var command = new Command(name, description);
        var direct = Values.Address("--direct", "one agent, address[:port] (default: the master or agent you logged in to)");
        var output = Output();
        foreach (var symbol in symbols)
        {
            if (symbol is Argument argument)
                command.Add(argument);
            else
                command.Add((Option)symbol);
            KnownNames.Complete(symbol, direct);
        }

        command.Add(direct);
        command.Add(output);
        command.SetAction((parsed, ct) =>
            RunAsync(parsed, Address.WithPort(parsed.GetValue(direct) ?? ""), FormatOf(parsed.GetValue(output)), run, ct));
        return command;
    }

    public static Option<string> Output()
    {
        var output = new Option<string>("--output", "-o")
        {
            Description = "table: what fits on the terminal; wide: all columns, exact times, as in a pipe; json",
            DefaultValueFactory = _ => "table",
            HelpName = "FORMAT",
        };
        output.OnlyFrom("table", "wide", "json");
        return output;
    }

    public static Format FormatOf(string? output) => output switch
    {
        "json" => Format.Json,
        "wide" => Format.Wide,
        _ => Format.Table,
    };

    /// <summary>service or service/component, both checked.</summary>
    public static (string Service, string Component) Target(string text)
    {
        var slash = text.IndexOf('/', StringComparison.Ordinal);
        var service = slash < 0 ? text : text[..slash];
        var component = slash < 0 ? "" : text[(slash + 1)..];
        return (Label.Parse(service).Text, slash < 0 ? "" : Label.Parse(component).Text);
    }

    private static async Task<int> RunAsync(
        ParseResult parsed,
        string asked,
        Format format,
        Func<ParseResult, AgentConnection, Printer, CancellationToken, Task<int>> run,
        CancellationToken ct)
    {
        AgentConnection? connection = null;
        var json = format == Format.Json;
        try
        {
            var login = Login.Read();
            asked = asked.Length > 0 ? asked : login.Address;
            connection = new AgentConnection(login, asked);
            return await run(parsed, connection, new Printer(format), ct);
        }
        catch (RpcException e) when (KnownNames.IsUnknown(e))
        {
            var meant = await KnownNames.MeantAsync(e, parsed, connection!);
            return Failure.Show(e, asked, json, hint: meant is null ? "" : $"did you mean {meant}?");
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            return Failure.Show(e, asked, json, connection is { Changes: true });
        }
        finally
        {
            connection?.Dispose();
        }
    }
}
