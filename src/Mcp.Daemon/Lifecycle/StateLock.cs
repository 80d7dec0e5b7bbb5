using Mcp.Model.Errors;

namespace Mcp.Daemon.Lifecycle;

/// <summary>One daemon on one state directory: a lock file that the kernel lets go of when the process dies.</summary>
public static class StateLock
{
    /// <exception cref="McpException">state.busy, state.missing</exception>
    public static IDisposable Take(string program, string file)
    {
        try
        {
            return new FileStream(file, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (DirectoryNotFoundException e)
        {
            throw new McpException(
                ErrorCode.StateMissing,
                $"there is no directory {Path.GetDirectoryName(file)}",
                $"is 'state' right in the configuration? {program} init makes one",
                e);
        }
        catch (IOException e)
        {
            throw new McpException(
                ErrorCode.StateBusy,
                $"another {program} runs on {Path.GetDirectoryName(file)}",
                "stop it first, or give this one a state directory of its own",
                e);
        }
    }
}
