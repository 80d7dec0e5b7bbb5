using System.Runtime.InteropServices;
using Mcp.Machine;
using Mcp.Model.Errors;

namespace Mcp.Agent;

/// <summary>`mcp-agent detach LOG -- PROGRAM ARGUMENTS`: becomes that program in a session of its own, its output in LOG, so that it
/// outlives the agent and its terminal and holds none of the agent's files.</summary>
internal static class Detached
{
    public const long MaxLogBytes = 10 * 1024 * 1024;

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
        var error = Posix.Become(arguments[2], arguments[3..], output);
        throw new McpException(ErrorCode.Detach, $"cannot start {arguments[2]}: {Marshal.GetPInvokeErrorMessage(error)}");
    }
}
