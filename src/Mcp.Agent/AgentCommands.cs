using System.CommandLine;
using Mcp.Agent.ProxyProcess;
using Mcp.Daemon.Identity;
using Mcp.Daemon.Lifecycle;
using Mcp.Usage;

namespace Mcp.Agent;

/// <summary>The command line of mcp-agent, but for what it starts itself often: <see cref="Detached"/> and the keeper of a VM.</summary>
internal static class AgentCommands
{
    private const string File = "agent.toml";

    private static readonly Dictionary<string, string[]> s_examples = new()
    {
        ["mcp-agent init"] = ["mcp-agent init --state /var/lib/mcp --listen 127.0.0.1:7443"],
        ["mcp-agent join"] = ["mcp-agent join --state /var/lib/mcp --master 100.64.0.1:7443 --token-file token --listen 100.64.0.2:7444"],
        ["mcp-agent run"] = ["mcp-agent run --config /var/lib/mcp/agent.toml"],
        ["mcp-agent token"] = ["mcp-agent token --config /var/lib/mcp/agent.toml --name ann --role deployer > ann.token"],
        ["mcp-agent proxy"] = ["mcp-agent proxy --config /var/lib/mcp/agent.toml"],
        ["mcp-agent version"] = ["mcp-agent version"],
    };

    public static RootCommand Build(TimeProvider time) => CommandLines.Program(
        "mcp-agent",
        "mcp-agent runs services on this node.",
        [("Commands", [Init(time), Join(), Run(), TokenCommand.Create(File, config => AgentConfig.Read(config).State, time), Proxy()])],
        s_examples);

    private static Command Init(TimeProvider time)
    {
        var state = DaemonCommands.State();
        var listen = DaemonCommands.Listen("where mcp reaches it, such as 127.0.0.1:7443", required: true);
        var name = DaemonCommands.Name();
        var init = new Command("init", "Set up an agent without a master: certificates, keys, agent.toml") { state, listen, name };
        init.SetAction(called => AgentInit.Run(called.GetRequiredValue(state), called.GetRequiredValue(listen),
            called.GetValue(name) ?? DaemonCommands.ThisMachine, time, called.InvocationConfiguration.Output));
        return init;
    }

    private static Command Join()
    {
        var state = DaemonCommands.State();
        var master = Values.Text("--master", "where the master listens, address[:port]", "ADDRESS", required: true);
        var token = Values.Text("--token-file", "what mcp node join-token printed; - reads standard input", "FILE|-", required: true);
        var listen = DaemonCommands.Listen("its address in the overlay; needed where there is no agent yet", required: false);
        var name = DaemonCommands.Name();
        var join = new Command(
            "join",
            "Join the fleet of a master; an agent that was alone keeps its services") { state, master, token, listen, name };
        join.SetAction((called, ct) => AgentInit.JoinAsync(
            called.GetRequiredValue(state), Address.WithPort(called.GetRequiredValue(master)), called.GetRequiredValue(token),
            called.GetValue(listen), called.GetValue(name), called.InvocationConfiguration.Output, ct));
        return join;
    }

    private static Command Run()
    {
        var config = DaemonCommands.Config(File);
        var run = new Command("run", "Run the agent until SIGTERM or Ctrl-C") { config };
        run.SetAction((called, _) => AgentHost.RunAsync(AgentConfig.Read(called.GetRequiredValue(config))));
        return run;
    }

    private static Command Proxy()
    {
        var config = DaemonCommands.Config(File);
        var proxy = new Command("proxy", "Run the node proxy; run starts it by itself") { config };
        proxy.SetAction((called, _) => ProxyHost.RunAsync(AgentConfig.Read(called.GetRequiredValue(config))));
        return proxy;
    }
}
