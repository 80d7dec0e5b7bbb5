using System.Globalization;
using Mcp.Daemon.Identity;
using Mcp.Model;
using Mcp.Model.Definition;

namespace Mcp.Daemon.Lifecycle;

/// <summary>How a daemon was called: a verb and --name value pairs.</summary>
public sealed class Invocation
{
    private readonly string _usage;
    private readonly Dictionary<string, string> _options = [];

    private Invocation(string usage, ReadOnlySpan<string> args)
    {
        _usage = usage;
        Verb = args.Length == 0 ? "" : args[0];
        for (var i = 1; i < args.Length; i += 2)
        {
            if (!args[i].StartsWith("--", StringComparison.Ordinal) || i + 1 == args.Length)
                throw new McpException("usage", $"'{args[i]}' is not understood", usage);
            _options[args[i][2..]] = args[i + 1];
        }
    }

    public string Verb { get; }

    /// <exception cref="McpException">usage: it is missing.</exception>
    public string Option(string name) => Optional(name) ?? throw new McpException("usage", $"--{name} is missing", _usage);

    public string? Optional(string name) => _options.GetValueOrDefault(name);

    /// <summary>--name, or this machine's.</summary>
    public string Name => Optional("name") ?? Environment.MachineName.Split('.')[0].ToLowerInvariant();

    /// <summary>Prints a token: --name, --role, --days.</summary>
    /// <param name="keyFile">The authority's key.</param>
    public int PrintToken(string keyFile, TimeProvider time)
    {
        if (!Roles.TryParse(Option("role"), out var role) || !double.TryParse(Optional("days") ?? "365", CultureInfo.InvariantCulture, out var days) || days is <= 0 or > 3650)
            throw new McpException("usage", "wrong --role or --days", _usage);
        Console.WriteLine(new TokenSigner(File.ReadAllText(keyFile), time).Issue(Option("name"), role, TimeSpan.FromDays(days)));
        return 0;
    }

    /// <summary>Errors in lines for people. Exit codes: 1 failed, 2 bad usage or file.</summary>
    public static async Task<int> RunAsync(string program, string usage, string[] args, Func<Invocation, Task<int>> run)
    {
        try
        {
            return await run(new Invocation(usage, args));
        }
        catch (McpException e)
        {
            await Console.Error.WriteLineAsync($"{program}: {e.Message}");
            if (e.Hint.Length > 0)
                await Console.Error.WriteLineAsync(e.Hint);
            return e.Code == "usage" ? 2 : 1;
        }
        catch (ServiceFileException e)
        {
            await Console.Error.WriteLineAsync(e.Message);
            return 2;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            await Console.Error.WriteLineAsync($"{program}: {e.Message}");
            return 1;
        }
    }

    public int Unknown()
    {
        Console.Error.WriteLine(_usage);
        return 2;
    }
}
