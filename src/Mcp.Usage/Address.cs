using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Mcp.Usage;

/// <summary>Where a program answers: a name or an address, with or without a port.</summary>
public static class Address
{
    /// <summary>Of a master or an agent, where none is given.</summary>
    public const int Port = 7443;

    /// <summary>With <see cref="Port"/> where there is none. An IPv6 address may stand without brackets. Empty stays empty.</summary>
    public static string WithPort(string text)
    {
        if (text.Contains("]:", StringComparison.Ordinal))
            return text;
        var bare = text.StartsWith('[') && text.EndsWith(']') ? text[1..^1] : text;
        if (IPAddress.TryParse(bare, out var address) && address.AddressFamily == AddressFamily.InterNetworkV6)
            return string.Create(CultureInfo.InvariantCulture, $"[{bare}]:{Port}");
        return text.Length == 0 || text.Contains(':', StringComparison.Ordinal)
            ? text
            : string.Create(CultureInfo.InvariantCulture, $"{text}:{Port}");
    }

    internal static bool IsOne(string text)
    {
        var whole = WithPort(text);
        return Uri.TryCreate($"https://{whole}", UriKind.Absolute, out var url)
            && url is { AbsolutePath: "/", Query: "", Fragment: "", UserInfo: "" }
            && Uri.CheckHostName(url.Host.Trim('[', ']')) != UriHostNameType.Unknown
            && int.TryParse(whole[(whole.LastIndexOf(':') + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out var port)
            && port is > 0 and <= ushort.MaxValue
            && !whole.EndsWith('/');
    }
}
