using System.Net;
using System.Net.Http.Headers;

namespace Mcp.Agent.ProxyProcess.Passing;

/// <summary>Headers by which a proxy says who asks and how: X-Forwarded-*, X-Real-IP, and Forwarded of RFC 7239. Of anybody but a trusted
/// proxy they are dropped.</summary>
internal static class WhoAsks
{
    public const string For = "X-Forwarded-For";
    public const string Proto = "X-Forwarded-Proto";
    public const string Host = "X-Forwarded-Host";
    public const string Forwarded = "Forwarded";
    private const string Prefix = "X-Forwarded-";

    /// <summary>The client's address; IPv4 as such where the listener takes both.</summary>
    public static IPAddress Client(HttpContext context) => context.Connection.RemoteIpAddress switch
    {
        null => IPAddress.None,
        { IsIPv4MappedToIPv6: true } mapped => mapped.MapToIPv4(),
        var address => address,
    };

    /// <param name="passed">What was received and is passed on.</param>
    public static void Drop(HttpRequestHeaders passed)
    {
        List<string>? told = null;
        foreach (var (name, _) in passed.NonValidated)
        {
            if (Says(name))
                (told ??= []).Add(name);
        }

        foreach (var name in told ?? [])
            passed.Remove(name);
    }

    private static bool Says(string header) => (header[0] | ' ') switch
    {
        'x' => header.StartsWith(Prefix, StringComparison.OrdinalIgnoreCase)
            || header.Equals("X-Real-IP", StringComparison.OrdinalIgnoreCase),
        'f' => header.Equals(Forwarded, StringComparison.OrdinalIgnoreCase),
        _ => false,
    };
}
