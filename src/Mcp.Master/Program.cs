using System.Globalization;
using Mcp.Daemon.Identity;
using Mcp.Master;
using Mcp.Model;
using Mcp.Model.Definition;

const string Usage = """
    usage:
      mcp-master init --state DIR --listen ADDRESS:PORT [--name NAME]
      mcp-master run --config FILE
      mcp-master token --config FILE --name WHO --role admin|deployer|viewer [--days N]
      mcp-master version
    """;
try
{
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
            return MasterInit.Run(Option("state"), Option("listen"), options.GetValueOrDefault("name") ?? Environment.MachineName.Split('.')[0].ToLowerInvariant(), TimeProvider.System);
        case "run":
            return await MasterHost.RunAsync(MasterConfig.Read(Option("config")));
        case "token":
            if (!Roles.TryParse(Option("role"), out var role) || !double.TryParse(options.GetValueOrDefault("days") ?? "365", CultureInfo.InvariantCulture, out var days) || days is <= 0 or > 3650)
                throw new McpException("usage", "wrong --role or --days", Usage);
            var key = File.ReadAllText(Path.Combine(MasterConfig.Read(Option("config")).State, "token.key"));
            Console.WriteLine(new TokenSigner(key, TimeProvider.System).Issue(Option("name"), role, TimeSpan.FromDays(days)));
            return 0;
        case "version":
            Console.WriteLine(typeof(MasterHost).Assembly.GetName().Version?.ToString(3));
            return 0;
        default:
            Console.Error.WriteLine(Usage);
            return 2;
    }
}
catch (McpException e)
{
    Console.Error.WriteLine($"mcp-master: {e.Message}");
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
    Console.Error.WriteLine($"mcp-master: {e.Message}");
    return 1;
}
