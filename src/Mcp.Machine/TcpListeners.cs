using System.Buffers.Binary;
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Mcp.Machine;

/// <summary>Who listens on this host's TCP ports. Source: https://docs.kernel.org/networking/proc_net_tcp.html.</summary>
public static class TcpListeners
{
    private const string Listening = "0A";
    private static readonly IPAddress s_mapped = IPAddress.Loopback.MapToIPv6();

    /// <param name="Inode">Of its socket.</param>
    public sealed record Listener(IPEndPoint At, string Inode);

    public static List<Listener> On(int port)
    {
        var found = new List<Listener>();
        foreach (var file in (string[])["/proc/net/tcp", "/proc/net/tcp6"])
        {
            if (!File.Exists(file))
                continue;
            foreach (var line in File.ReadLines(file).Skip(1))
            {
                var fields = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
                if (fields.Length < 10 || fields[3] != Listening || fields[1].Split(':') is not [var address, var at])
                    continue;
                if (int.Parse(at, NumberStyles.HexNumber, CultureInfo.InvariantCulture) == port)
                    found.Add(new Listener(new IPEndPoint(Address(address), port), fields[9]));
            }
        }

        return found;
    }

    /// <summary>Those that the kernel lets take a connection to this port of 127.0.0.1: the most exact address wins.</summary>
    public static List<Listener> OnLoopback(int port)
    {
        var all = On(port);
        IPAddress[][] byExactness = [[IPAddress.Loopback, s_mapped], [IPAddress.Any], [IPAddress.IPv6Any]];
        return byExactness.Select(at => all.FindAll(l => at.Contains(l.At.Address))).FirstOrDefault(l => l.Count > 0) ?? [];
    }

    /// <summary>What keeps one from listening there: the program and its process, such as "nginx (process 812)". Null: nothing does.
    /// </summary>
    /// <param name="except">This process keeps nobody from it.</param>
    public static string? Holder(IPEndPoint wanted, int? except = null)
    {
        var there = On(wanted.Port).FirstOrDefault(l => Clash(Plain(l.At.Address), wanted.Address));
        if (there is null)
            return null;
        foreach (var process in Processes())
        {
            if (Sockets(process).Contains(there.Inode))
                return process == except?.ToString(CultureInfo.InvariantCulture) ? null : $"{Name(process)} (process {process})";
        }

        return "another program";
    }

    /// <summary>Only one of them can be listened on at a time.</summary>
    public static bool Clash(IPEndPoint one, IPEndPoint other) => one.Port == other.Port && Clash(one.Address, other.Address);

    /// <summary>The inodes of a process's sockets; empty: it has ended.</summary>
    public static HashSet<string> Sockets(string process)
    {
        const string Mark = "socket:[";
        try
        {
            return [.. Directory.GetFileSystemEntries($"/proc/{process}/fd")
                .Select(Link)
                .OfType<string>()
                .Where(t => t.StartsWith(Mark, StringComparison.Ordinal))
                .Select(t => t[Mark.Length..^1])];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }

    /// <summary>Numbers of all processes that can be seen.</summary>
    public static IEnumerable<string> Processes() =>
        Directory.EnumerateDirectories("/proc").Select(d => Path.GetFileName(d)).Where(n => char.IsAsciiDigit(n[0]));

    /// <summary>Null: there is no such link, or its process has ended.</summary>
    public static string? Link(string path)
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

    private static string Name(string process)
    {
        try
        {
            return File.ReadAllText($"/proc/{process}/comm").Trim();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return "a program";
        }
    }

    private static IPAddress Plain(IPAddress address) => address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;

    // A wildcard of IPv6 takes IPv4's, too.
    private static bool Clash(IPAddress one, IPAddress other) =>
        one.Equals(other)
        || one.Equals(IPAddress.IPv6Any)
        || other.Equals(IPAddress.IPv6Any)
        || (one.Equals(IPAddress.Any) && other.AddressFamily == AddressFamily.InterNetwork)
        || (other.Equals(IPAddress.Any) && one.AddressFamily == AddressFamily.InterNetwork);

    // Words of 32 bits, each in this machine's order.
    private static IPAddress Address(string hex)
    {
        var bytes = Convert.FromHexString(hex);
        for (var at = 0; at < bytes.Length; at += sizeof(uint))
        {
            var word = bytes.AsSpan(at, sizeof(uint));
            BinaryPrimitives.WriteUInt32BigEndian(word, BitConverter.ToUInt32(word));
        }

        return new IPAddress(bytes);
    }
}
