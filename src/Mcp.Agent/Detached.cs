using System.Runtime.InteropServices;
using Mcp.Model.Errors;

namespace Mcp.Agent;

/// <summary>`mcp-agent detach LOG -- PROGRAM ARGUMENTS`: becomes that program in a session of its own, its output in LOG, so that it outlives the
/// agent and its terminal and holds none of the agent's files.</summary>
internal static partial class Detached
{
    private const long MaxLogBytes = 10 * 1024 * 1024;

    /// <summary>What to put before a program's arguments to have it started so.</summary>
    public static IReadOnlyList<string> Launcher(string log) => [Environment.ProcessPath!, "detach", log, "--"];

    /// <summary>Returns only if the program cannot be started.</summary>
    public static int Become(ReadOnlySpan<string> arguments)
    {
        if (arguments.Length < 3 || arguments[1] != "--")
            throw new McpException(ErrorCode.Usage, "detach LOG -- PROGRAM ARGUMENTS");
        var log = arguments[0];
        if (File.Exists(log) && new FileInfo(log).Length > MaxLogBytes)
            File.Move(log, log + ".1", overwrite: true);
        using var output = File.OpenHandle(log, FileMode.Append, FileAccess.Write, FileShare.ReadWrite);
        _ = SetSession();
        _ = Duplicate((int)output.DangerousGetHandle(), 1);
        _ = Duplicate((int)output.DangerousGetHandle(), 2);
        _ = Execute(arguments[2], [.. arguments[2..], null]);
        throw new McpException(ErrorCode.Detach, $"cannot start {arguments[2]}: {Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError())}");
    }

    [LibraryImport("libc", EntryPoint = "setsid")]
    private static partial int SetSession();

    [LibraryImport("libc", EntryPoint = "dup2")]
    private static partial int Duplicate(int from, int to);

    [LibraryImport("libc", EntryPoint = "execvp", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Execute(string program, string?[] arguments);
}
