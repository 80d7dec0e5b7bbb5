using System.CommandLine;
using Mcp.Cli.Connection;
using Mcp.Cli.Output;
using Mcp.Model.Errors;
using Mcp.Protocol.V1;
using Mcp.Usage;

namespace Mcp.Cli.Commands;

/// <summary>login, logout, whoami.</summary>
internal static class LoginCommands
{
    public static IEnumerable<Command> All()
    {
        var master = Values.Address("--master", "the master, address[:port]");
        var direct = Values.Address("--direct", "an agent without a master, address[:port]");
        var ca = new Option<string>("--ca") { Required = true, Description = "its ca.crt", HelpName = "FILE" };
        var token = new Option<string>("--token-file") { Required = true, Description = "a file with a token", HelpName = "FILE" };
        var login = new Command("login", "Remember a master or an agent, its CA and your token") { master, direct, ca, token };
        login.SetAction(async (parsed, ct) =>
        {
            try
            {
                var address = (parsed.GetValue(master), parsed.GetValue(direct)) switch
                {
                    ({ } one, null) => Address.WithPort(one),
                    (null, { } one) => Address.WithPort(one),
                    _ => throw new McpException(
                        ErrorCode.Usage,
                        "give either --master or --direct",
                        "mcp login --master ADDRESS --ca FILE --token-file FILE"),
                };
                var fresh = AgentConnection.Checked(address, parsed.GetValue(ca)!, parsed.GetValue(token)!);
                using var agent = new AgentConnection(fresh, null);
                var me = await agent.Client.WhoAmIAsync(new WhoAmIRequest(), agent.Call(AgentCommand.Quick, ct));
                fresh.Write();
                await Console.Out.WriteLineAsync(
                    Visible.Text($"logged in to {me.Node} as {me.Name} ({me.Role}) until {me.Expires.ToDateTimeOffset():yyyy-MM-dd}"));
                return 0;
            }
            catch (Exception e) when (e is not OutOfMemoryException)
            {
                return Failure.Show(e, parsed.GetValue(master) ?? parsed.GetValue(direct) ?? "");
            }
        });
        yield return login;
        var logout = new Command("logout", "Forget the address and the token");
        logout.SetAction(_ => Console.Out.WriteLine(Login.Forget() ? "logged out" : "you were not logged in"));
        yield return logout;
        yield return AgentCommand.Create("whoami", "Who you are to the master or agent", [], async (_, agent, printer, ct) =>
        {
            var me = await agent.Client.WhoAmIAsync(new WhoAmIRequest(), agent.Call(AgentCommand.Quick, ct));
            var table = new Table(["NAME", "ROLE", "NODE", "EXPIRES"], [[me.Name, me.Role, me.Node, Cell.Day(me.Expires)]]);
            printer.Show(me, table, "");
            return 0;
        });
    }
}
