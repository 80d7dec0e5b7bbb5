using Mcp.Machine;

namespace Mcp.Runtimes.Podman;

/// <summary>Whether a container that podman takes for running still is: podman learns that it ended from conmon, and where that was killed,
/// never.</summary>
internal static class PodmanProcesses
{
    private static readonly string? s_own = TcpListeners.Link("/proc/self/ns/pid");

    /// <summary>Both have ended.</summary>
    /// <param name="init">The container's first process, in a process namespace of its own.</param>
    /// <param name="conmon">Who watches it.</param>
    public static bool AreGone(int init, int conmon) => IsGone(init) && HasEnded(conmon);

    /// <summary>The container's first process has ended; its number may be another's now.</summary>
    public static bool IsGone(int init) => init > 0 && (HasEnded(init) || TcpListeners.Link($"/proc/{init}/ns/pid") == s_own);

    // proc(5): PID (NAME) STATE ...; what is dead waits for its parent as Z.
    private static bool HasEnded(int process)
    {
        try
        {
            var stat = File.ReadAllText($"/proc/{process}/stat");
            return stat.AsSpan(stat.LastIndexOf(')') + 1).TrimStart() is ['Z' or 'X', ..];
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return true;
        }
        catch (IOException)
        {
            // It ended while it was read (ESRCH).
            return !Directory.Exists($"/proc/{process}");
        }
    }
}
