using System.Globalization;
using Mcp.Agent;
using Mcp.Agent.Proxy;
using Mcp.Daemon.Identity;
using Mcp.Model;
using Mcp.Model.Definition;
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
try
{
    if (args is ["detach", .. var program])
        return Detached.Become(program);
    if (args is ["vm", var directory, var run])
        return VmKeeper.Become(directory, run, TimeProvider.System);
    var options = new Dictionary<string, string>();
    for (var i = 1; i < args.Length; i += 2)
    {
        if (!args[i].StartsWith("--", StringComparison.Ordinal) || i + 1 == args.Length)
            throw new McpException("usage", $"'{args[i]}' is not understood", Usage);
        options[args[i][2..]] = args[i + 1];
    }

    string Option(string name) => options.TryGetValue(name, out var value) ? value : throw new McpException("usage", $"--{name} is missing", Usage);
    switch (args.FirstOrDefault())
    {
        case "init":
            return AgentInit.Run(Option("state"), Option("listen"), options.GetValueOrDefault("name") ?? Environment.MachineName.Split('.')[0].ToLowerInvariant(), TimeProvider.System);
        case "join":
            return await AgentInit.JoinAsync(Option("state"), Option("master"), Option("token-file"), options.GetValueOrDefault("listen"), options.GetValueOrDefault("name"), CancellationToken.None);
        case "run":
            return await AgentHost.RunAsync(AgentConfig.Read(Option("config")));
        case "proxy":
            return await ProxyHost.RunAsync(AgentConfig.Read(Option("config")));
        case "token":
            if (!Roles.TryParse(Option("role"), out var role) || !double.TryParse(options.GetValueOrDefault("days") ?? "365", CultureInfo.InvariantCulture, out var days) || days is <= 0 or > 3650)
                throw new McpException("usage", "wrong --role or --days", Usage);
            var key = File.ReadAllText(Path.Combine(AgentConfig.Read(Option("config")).State, "token.key"));
            Console.WriteLine(new TokenSigner(key, TimeProvider.System).Issue(Option("name"), role, TimeSpan.FromDays(days)));
            return 0;
        case "version":
            Console.WriteLine(typeof(AgentNode).Assembly.GetName().Version?.ToString(3));
            return 0;
        default:
            Console.Error.WriteLine(Usage);
            return 2;
    }
}
catch (McpException e)
{
    Console.Error.WriteLine($"mcp-agent: {e.Message}");
    if (e.Hint.Length > 0)
        Console.Error.WriteLine(e.Hint);
    return e.Code == "usage" ? 2 : 1;
}
catch (ServiceFileException e)
{
    Console.Error.WriteLine(e.Message);
    return 2;
}
catch (Exception e) when (e is IOException or UnauthorizedAccessException)
{
    Console.Error.WriteLine($"mcp-agent: {e.Message}");
    return 1;
}
