using Mcp.Daemon.Lifecycle;
using Mcp.Master;

const string Usage = """
    usage:
      mcp-master init --state DIR --listen ADDRESS:PORT [--name NAME]
      mcp-master run --config FILE
      mcp-master token --config FILE --name WHO --role admin|deployer|viewer [--days N]
      mcp-master version
    """;
return await Invocation.RunAsync("mcp-master", Usage, args, async called =>
{
    switch (called.Verb)
    {
        case "init":
            return MasterInit.Run(called.Option("state"), called.Option("listen"), called.Name, TimeProvider.System);
        case "run":
            return await MasterHost.RunAsync(MasterConfig.Read(called.Option("config")));
        case "token":
            return called.PrintToken(Path.Combine(MasterConfig.Read(called.Option("config")).State, "token.key"), TimeProvider.System);
        case "version":
            Console.WriteLine(typeof(MasterHost).Assembly.GetName().Version?.ToString(3));
            return 0;
        default:
            return called.Unknown();
    }
});
