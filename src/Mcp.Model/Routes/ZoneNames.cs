using Mcp.Model.Definition;
using Mcp.Model.Errors;
using Mcp.Model.Names;

namespace Mcp.Model.Routes;

/// <summary>The names that services have by themselves: SERVICE.zone and all below it are that service's, and the rest of the zone is
/// nobody's. Whoever could ask for one of them as a hostname would get another service's traffic, under its certificate.</summary>
public static class ZoneNames
{
    /// <summary>The zone itself, or any name below it, in any case and with or without a dot at its end.</summary>
    public static bool Has(string zone, string name)
    {
        var (above, below) = (zone.Trim('.'), name.TrimEnd('.'));
        return below.EndsWith(above, StringComparison.OrdinalIgnoreCase)
            && (below.Length == above.Length || below[^(above.Length + 1)] == '.');
    }

    /// <summary>Before anything of a service is touched.</summary>
    /// <exception cref="McpException">route.zone: names every hostname of the service that lies in the zone.</exception>
    public static void Check(string zone, ServiceDefinition service)
    {
        var refused = service.Components.SelectMany(c => c.Routes)
            .Select(r => r.Hostname)
            .OfType<Hostname>()
            .Where(h => Has(zone, h.Text))
            .Distinct()
            .ToList();
        if (refused.Count > 0)
            throw Refusal(zone, $"{string.Join(", ", refused)} of {service.Name}");
    }

    /// <exception cref="McpException">route.zone</exception>
    public static void Check(string zone, Hostname hostname)
    {
        if (Has(zone, hostname.Text))
            throw Refusal(zone, hostname.Text);
    }

    private static McpException Refusal(string zone, string what) =>
        new(
            ErrorCode.RouteZone,
            $"{what} lies in the zone {zone}, whose names are given by mcp",
            $"a service is SERVICE.{zone} by itself: leave the hostname out, or use one outside of the zone");
}
