using System.Net;
using System.Net.NetworkInformation;

namespace Mcp.Daemon.Identity;

/// <summary>The names and addresses that a daemon's certificate must carry for those who connect to it.</summary>
public static class ServerNames
{
    /// <param name="endpoint">What it listens on; "any" means all addresses of this machine.</param>
    public static IEnumerable<string> Of(IPEndPoint endpoint, string name)
    {
        string[] always = ["127.0.0.1", "::1", "localhost", name, Dns.GetHostName()];
        if (!endpoint.Address.Equals(IPAddress.Any) && !endpoint.Address.Equals(IPAddress.IPv6Any))
            return always.Append(endpoint.Address.ToString());
        var here = NetworkInterface.GetAllNetworkInterfaces().SelectMany(n => n.GetIPProperties().UnicastAddresses);
        return always.Concat(here.Where(a => !a.Address.IsIPv6LinkLocal).Select(a => a.Address.ToString()));
    }
}
