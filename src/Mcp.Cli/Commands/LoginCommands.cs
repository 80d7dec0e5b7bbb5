using System.CommandLine;
using Mcp.Cli.Connection;
using Mcp.Protocol.V1;

namespace Mcp.Cli.Commands;

/// <summary>login, logout, whoami.</summary>
internal static class LoginCommands
{
    public static IEnumerable<Command> All()
    {
        var direct = new Option<string>("--direct") { Required = true, Description = "address:port of the agent", HelpName = "ADDRESS" };
        var ca = new Option<string>("--ca") { Required = true, Description = "the agent's ca.crt", HelpName = "FILE" };
        var token = new Option<string>("--token-file") { Required = true, Description = "a file with a token", HelpName = "FILE" };
        var login = new Command("login", "Remember an agent, its CA and your token") { direct, ca, token };
        login.SetAction(async (parsed, ct) =>
        {
            try
            {
                var fresh = AgentConnection.Checked(parsed.GetValue(direct)!, parsed.GetValue(ca)!, parsed.GetValue(token)!);
                using var agent = new AgentConnection(fresh, null);
                var me = await agent.Client.WhoAmIAsync(new WhoAmIRequest(), agent.Call(AgentCommand.Quick, ct));
                fresh.Write();
                await Console.Out.WriteLineAsync($"logged in to node {me.Node} as {me.Name} ({me.Role}) until {me.Expires.ToDateTimeOffset():yyyy-MM-dd}");
                return 0;
            }
            catch (Exception e) when (e is not OutOfMemoryException)
            {
                return Failure.Show(e);
            }
        });
        yield return login;
        var logout = new Command("logout", "Forget the agent and the token");
        logout.SetAction(_ => Console.Out.WriteLine(Login.Forget() ? "logged out" : "you were not logged in"));
        yield return logout;
        yield return AgentCommand.Create("whoami", "Who the agent takes you for", [], async (_, agent, printer, ct) =>
        {
            var me = await agent.Client.WhoAmIAsync(new WhoAmIRequest(), agent.Call(AgentCommand.Quick, ct));
            printer.Show(me, ["NAME", "ROLE", "NODE", "EXPIRES"], [[me.Name, me.Role, me.Node, $"{me.Expires.ToDateTimeOffset():yyyy-MM-dd}"]], "");
            return 0;
        });
    }
}
