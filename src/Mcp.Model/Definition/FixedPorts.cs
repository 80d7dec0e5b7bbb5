using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Net;

namespace Mcp.Model.Definition;

/// <summary>Fixed ports as written: [address:]host:inside. Without address, all of them.</summary>
public static class FixedPorts
{
    /// <summary>Of this host, IPv4.</summary>
    public const string EveryAddress = "0.0.0.0";

    /// <summary>Where this host asks its own instances.</summary>
    public const string Loopback = "127.0.0.1";

    public const string Allowed = "[address:]host-port:port, for example 127.0.0.1:8443:8443";

    public static bool TryParse(string text, [NotNullWhen(true)] out FixedPort? port)
    {
        port = null;
        var inside = text.LastIndexOf(':');
        var host = inside > 0 ? text.LastIndexOf(':', inside - 1) : -1;
        var address = host < 0 ? EveryAddress : text[..host];
        if (inside <= 0
            || !IPAddress.TryParse(address, out var ip)
            || !Number(text[(host + 1)..inside], out var hostPort)
            || !Number(text[(inside + 1)..], out var instancePort))
        {
            return false;
        }

        port = new FixedPort(ip.ToString(), hostPort, instancePort);
        return true;
    }

    public static string Format(FixedPort port) =>
        string.Create(
            CultureInfo.InvariantCulture,
            $"{(port.Address.Contains(':', StringComparison.Ordinal) ? $"[{port.Address}]" : port.Address)}:{port.Host}:{port.Instance}");

    /// <summary>It is reached on 127.0.0.1.</summary>
    public static bool IsOnLoopback(this FixedPort port) => port.Address is EveryAddress or Loopback;

    private static bool Number(string text, out int port) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out port) && port is >= 1 and <= 65535;
}
