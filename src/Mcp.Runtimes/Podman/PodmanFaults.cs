using Mcp.Model.Errors;

namespace Mcp.Runtimes.Podman;

/// <summary>What podman refuses, for whoever asked for something.</summary>
internal static class PodmanFaults
{
    /// <param name="what">What could not be done, for people.</param>
    /// <exception cref="McpException">podman.failed</exception>
    public static async Task<T> ToldAsync<T>(string what, Func<Task<T>> call)
    {
        try
        {
            return await call();
        }
        catch (LibpodException e)
        {
            throw Of(what, e);
        }
    }

    public static McpException Of(string what, LibpodException e) => new(
        ErrorCode.PodmanFailed,
        $"{what}: {e.Message}",
        e.Status == 0 ? "mcp doctor says what is wrong with podman" : "run podman ps -a on the node",
        e);
}
