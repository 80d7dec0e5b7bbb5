using System.CommandLine;
using Mcp.Daemon.Lifecycle;
using Mcp.Usage;

namespace Mcp.Daemon.Identity;

/// <summary>`mcp-agent token`, `mcp-master token`: prints a token for somebody, signed with the key that init made.</summary>
public static class TokenCommand
{
    private const double YearDays = 365;
    private const double LongestDays = 3650;

    /// <param name="file">What the configuration file is called.</param>
    /// <param name="stateOf">The state directory that a configuration file names.</param>
    public static Command Create(string file, Func<string, string> stateOf, TimeProvider time)
    {
        var config = DaemonCommands.Config(file);
        var name = Values.Text("--name", "whom it is for; mcp whoami and the audit log show it", "WHO", required: true);
        var role = Values.Text("--role", "viewer looks, deployer also changes services, admin may do everything", "ROLE", required: true);
        role.OnlyFrom("viewer", "deployer", "admin");
        var days = Values.Number("--days", "how many days it is valid", 0, LongestDays, YearDays);
        var command = new Command("token", "Print a token with which somebody logs in") { config, name, role, days };
        command.SetAction(called =>
        {
            var key = File.ReadAllText(Path.Combine(stateOf(called.GetRequiredValue(config)), "token.key"));
            var granted = Roles.TryParse(called.GetValue(role), out var parsed) ? parsed : Role.Viewer;
            var token = new TokenSigner(key, time).Issue(called.GetRequiredValue(name), granted, TimeSpan.FromDays(called.GetValue(days)));
            called.InvocationConfiguration.Output.WriteLine(token);
            return 0;
        });
        return command;
    }
}
