using Mcp.Machine;

namespace Mcp.Runtimes.Podman;

/// <summary>Whose the listeners on a TCP port of this host are, where an instance has no network of its own.</summary>
internal static class HostListeners
{
    /// <summary>Whether those that take a connection to 127.0.0.1:port are all of the processes of one container.</summary>
    /// <param name="init">A process of the container.</param>
    public static bool AreOf(int init, int port)
    {
        var takers = TcpListeners.OnLoopback(port).Select(l => l.Inode).ToHashSet();
        return takers.Count > 0 && takers.IsSubsetOf(Sockets(init));
    }

    // Of every process in the same process namespace, which a container has for itself.
    private static HashSet<string> Sockets(int init)
    {
        if (TcpListeners.Link($"/proc/{init}/ns/pid") is not { } space || space == TcpListeners.Link("/proc/self/ns/pid"))
            return [];
        return [.. TcpListeners.Processes()
            .Where(p => TcpListeners.Link($"/proc/{p}/ns/pid") == space)
            .SelectMany(TcpListeners.Sockets)];
    }
}
