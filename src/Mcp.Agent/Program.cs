using Mcp.Agent;
using Mcp.Agent.Proxy;
using Mcp.Daemon.Lifecycle;
using Mcp.Runtimes.Qemu;

const string Usage = """
    usage:
      mcp-agent init --state DIR --listen ADDRESS:PORT [--name NODE]
      mcp-agent join --state DIR --master ADDRESS:PORT --token-file FILE|- [--listen ADDRESS:PORT] [--name NODE]
      mcp-agent run --config FILE
      mcp-agent token --config FILE --name WHO --role admin|deployer|viewer [--days N]
      mcp-agent proxy --config FILE      (started by run)
      mcp-agent version
    """;
string[] words = args is ["detach", ..] or ["vm", _, _] ? [args[0]] : args;
return await Invocation.RunAsync("mcp-agent", Usage, words, async called =>
{
    switch (called.Verb)
    {
        case "detach":
            return Detached.Become(args.AsSpan(1));
        case "vm":
            return VmKeeper.Become(args[1], args[2], TimeProvider.System);
        case "init":
            return AgentInit.Run(called.Option("state"), called.Option("listen"), called.Name, TimeProvider.System);
        case "join":
            return await AgentInit.JoinAsync(called.Option("state"), called.Option("master"), called.Option("token-file"), called.Optional("listen"), called.Optional("name"), CancellationToken.None);
        case "run":
            return await AgentHost.RunAsync(AgentConfig.Read(called.Option("config")));
        case "proxy":
            return await ProxyHost.RunAsync(AgentConfig.Read(called.Option("config")));
        case "token":
            return called.PrintToken(Path.Combine(AgentConfig.Read(called.Option("config")).State, "token.key"), TimeProvider.System);
        case "version":
            Console.WriteLine(typeof(AgentParts).Assembly.GetName().Version?.ToString(3));
            return 0;
        default:
            return called.Unknown();
    }
});
