using System.CommandLine;
using Mcp.Daemon.Identity;
using Mcp.Daemon.Lifecycle;
using Mcp.Usage;

namespace Mcp.Master;

/// <summary>The command line of mcp-master.</summary>
internal static class MasterCommands
{
    private const string File = "master.toml";

    private static readonly Dictionary<string, string[]> s_examples = new()
    {
        ["mcp-master init"] = ["mcp-master init --state /var/lib/mcp-master --listen 100.64.0.1:7443"],
        ["mcp-master run"] = ["mcp-master run --config /var/lib/mcp-master/master.toml"],
        ["mcp-master token"] = ["mcp-master token --config /var/lib/mcp-master/master.toml --name ann --role deployer > ann.token"],
        ["mcp-master version"] = ["mcp-master version"],
    };

    public static RootCommand Build(TimeProvider time) => CommandLines.Program(
        "mcp-master",
        "mcp-master leads a fleet of nodes.",
        [("Commands", [Init(time), Run(), TokenCommand.Create(File, config => MasterConfig.Read(config).State, time)])],
        s_examples);

    private static Command Init(TimeProvider time)
    {
        var state = DaemonCommands.State();
        var listen = DaemonCommands.Listen("where nodes and mcp reach it, such as 100.64.0.1:7443", required: true);
        var name = DaemonCommands.Name();
        var init = new Command("init", "Set up a master: the fleet's CA, keys, master.toml") { state, listen, name };
        init.SetAction(called => MasterInit.Run(called.GetRequiredValue(state), called.GetRequiredValue(listen),
            called.GetValue(name) ?? DaemonCommands.ThisMachine, time, called.InvocationConfiguration.Output));
        return init;
    }

    private static Command Run()
    {
        var config = DaemonCommands.Config(File);
        var run = new Command("run", "Run the master until SIGTERM or Ctrl-C") { config };
        run.SetAction((called, _) => MasterHost.RunAsync(MasterConfig.Read(called.GetRequiredValue(config))));
        return run;
    }
}
