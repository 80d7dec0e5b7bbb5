using System.Net;
using Mcp.Model.Errors;

namespace Mcp.Model.Routes;

/// <summary>The addresses of the fleet's overlay network; what lies elsewhere is no node.</summary>
public sealed class OverlayRange(IReadOnlyList<IPNetwork> networks)
{
    /// <summary>What overlays commonly use: carrier-grade NAT space (RFC 6598) and Tailscale's part of fc00::/7.</summary>
    public static OverlayRange Usual { get; } = new([IPNetwork.Parse("100.64.0.0/10"), IPNetwork.Parse("fd7a:115c:a1e0::/48")]);

    public IReadOnlyList<IPNetwork> Networks => networks;

    public bool IsUsual => ReferenceEquals(this, Usual);

    /// <summary>An IPv4 address written as IPv6 (::ffff:a.b.c.d) lies where that address does.</summary>
    public bool Contains(IPAddress address) => networks.Any(n => n.Contains(address));

    /// <summary>All of them, in one order.</summary>
    /// <param name="name">What they were found under, for the message.</param>
    /// <exception cref="McpException">edge.outside: names those that lie outside. edge.backend: there are none.</exception>
    public IReadOnlyList<IPAddress> Insist(string name, IEnumerable<IPAddress> addresses)
    {
        var all = addresses.Distinct().OrderBy(a => a.ToString(), StringComparer.Ordinal).ToList();
        if (all.Count == 0)
            throw new McpException(ErrorCode.EdgeBackend, $"{name} has no address", "mcp dns list shows the names that there are");
        var outside = all.Where(a => !Contains(a)).ToList();
        return outside.Count == 0
            ? all
            : throw new McpException(
                ErrorCode.EdgeOutside,
                $"{name} is {string.Join(", ", outside)}, which is not in the overlay",
                $"the overlay is {this}: [edge] overlay_range in agent.toml");
    }

    public override string ToString() => string.Join(", ", networks);
}
