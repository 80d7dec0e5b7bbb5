using System.Globalization;

namespace Mcp.Runtimes.Podman;

/// <summary>Whose the listeners on a TCP port of this host are, where an instance has no network of its own.</summary>
internal static class HostListeners
{
    private const string Listening = "0A";

    // As /proc/net has addresses: 127.0.0.1, the same written as IPv6, every address of IPv4, every address.
    private static readonly string[][] s_takers = [["0100007F", "0000000000000000FFFF00000100007F"], ["00000000"], [new string('0', 32)]];

    /// <summary>Whether those that take a connection to 127.0.0.1:port are all of the processes of one container.</summary>
    /// <param name="init">A process of the container.</param>
    public static bool AreOf(int init, int port)
    {
        var listeners = Listeners(port);
        var takers = s_takers
            .Select(at => listeners.Where(l => at.Contains(l.Address)).Select(l => l.Inode).ToHashSet())
            .FirstOrDefault(l => l.Count > 0);
        return takers is not null && takers.IsSubsetOf(Sockets(init));
    }

    private static List<(string Address, string Inode)> Listeners(int port)
    {
        var found = new List<(string, string)>();
        foreach (var file in (string[])["/proc/net/tcp", "/proc/net/tcp6"])
        {
            if (!File.Exists(file))
                continue;
            foreach (var line in File.ReadLines(file).Skip(1))
            {
                // https://docs.kernel.org/networking/proc_net_tcp.html
                var fields = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
                if (fields.Length < 10 || fields[3] != Listening || fields[1].Split(':') is not [var address, var at])
                    continue;
                if (int.Parse(at, NumberStyles.HexNumber, CultureInfo.InvariantCulture) == port)
                    found.Add((address, fields[9]));
            }
        }

        return found;
    }

    // Of every process in the same process namespace, which a container has for itself.
    private static HashSet<string> Sockets(int init)
    {
        var sockets = new HashSet<string>();
        if (Link($"/proc/{init}/ns/pid") is not { } space || space == Link("/proc/self/ns/pid"))
            return sockets;
        foreach (var process in Directory.EnumerateDirectories("/proc").Where(d => char.IsAsciiDigit(Path.GetFileName(d)[0])))
        {
            if (Link($"{process}/ns/pid") != space)
                continue;
            foreach (var open in Open(process))
            {
                if (Link(open) is { } target && target.StartsWith("socket:[", StringComparison.Ordinal))
                    sockets.Add(target["socket:[".Length..^1]);
            }
        }

        return sockets;
    }

    private static string[] Open(string process)
    {
        try
        {
            return Directory.GetFileSystemEntries($"{process}/fd");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // It has ended meanwhile.
            return [];
        }
    }

    private static string? Link(string path)
    {
        try
        {
            return new FileInfo(path).LinkTarget;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
