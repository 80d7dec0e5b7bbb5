using System.CommandLine;
using Mcp.Model.Definition;
using Mcp.Model.Errors;

namespace Mcp.Daemon.Lifecycle;

/// <summary>How a call of a daemon ends.</summary>
public static class Invocation
{
    /// <summary>For the commands of a daemon: a signal is the daemon's own business, and errors come to <see cref="RunAsync"/>.</summary>
    public static InvocationConfiguration Io(TextWriter output, TextWriter error) =>
        new() { Output = output, Error = error, ProcessTerminationTimeout = null, EnableDefaultExceptionHandler = false };

    /// <summary>Errors in lines for people. Exit codes: 1 failed, 2 bad usage or file.</summary>
    public static async Task<int> RunAsync(string program, TextWriter error, Func<Task<int>> run)
    {
        try
        {
            return await run();
        }
        catch (McpException e)
        {
            await error.WriteLineAsync($"{program}: {e.Message}");
            if (e.Hint.Length > 0)
                await error.WriteLineAsync($"  -> {e.Hint}");
            return e.Code.ExitCode;
        }
        catch (ServiceFileException e)
        {
            await error.WriteLineAsync($"{program}: {e.Message}");
            await error.WriteLineAsync("  -> correct the file");
            return 2;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            await error.WriteLineAsync($"{program}: {e.Message}");
            return 1;
        }
    }
}
