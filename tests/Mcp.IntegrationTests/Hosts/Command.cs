using System.Diagnostics;

namespace Mcp.IntegrationTests.Hosts;

/// <summary>Runs a program to its end, at most two minutes.</summary>
internal static class Command
{
    public static readonly string Repository = FindRepository();

    public static readonly string Bin = Environment.GetEnvironmentVariable("MCP_BIN") ?? Path.Combine(Repository, "artifacts", "bin");

    public static Process Start(string program, IReadOnlyList<string> arguments, IReadOnlyDictionary<string, string>? environment = null)
    {
        var start = new ProcessStartInfo(program)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
        };
        foreach (var argument in arguments)
            start.ArgumentList.Add(argument);
        foreach (var (key, value) in environment ?? new Dictionary<string, string>())
            start.Environment[key] = value;
        return Process.Start(start)!;
    }

    /// <param name="limit">Null: two minutes.</param>
    public static async Task<(int ExitCode, string Output, string Error)> RunAsync(
        string program,
        IReadOnlyList<string> arguments,
        IReadOnlyDictionary<string, string>? environment = null,
        TimeSpan? limit = null)
    {
        using var process = Start(program, arguments, environment);
        using var over = new CancellationTokenSource(limit ?? TimeSpan.FromMinutes(2));
        var output = process.StandardOutput.ReadToEndAsync(over.Token);
        var error = process.StandardError.ReadToEndAsync(over.Token);
        await process.WaitForExitAsync(over.Token);
        return (process.ExitCode, await output, await error);
    }

    private static string FindRepository()
    {
        var directory = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(directory!.FullName, "Mcp.slnx")))
            directory = directory.Parent;
        return directory.FullName;
    }
}
