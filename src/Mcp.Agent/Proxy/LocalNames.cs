using System.Globalization;
using System.Net;
using Mcp.Agent.Registry;
using Mcp.Model.Definition;

namespace Mcp.Agent.Proxy;

/// <summary>The names that services have on this machine without any DNS: SERVICE.localhost and COMPONENT.SERVICE.localhost (RFC 6761:
/// clients resolve them to the machine itself). As in the zone, the first route of its mode has them.</summary>
internal static class LocalNames
{
    private const string Zone = "localhost";
    private const int HttpPort = 80;

    /// <summary>Each with where it leads.</summary>
    public static Dictionary<string, (StoredComponent Component, Model.Definition.Route Route)> Of(
        IEnumerable<StoredComponent> components,
        RouteMode mode)
    {
        var names = new Dictionary<string, (StoredComponent, Model.Definition.Route)>();
        foreach (var component in components)
        {
            foreach (var route in component.Definition.Routes.Where(r => r.Mode == mode))
            {
                names.TryAdd($"{component.Service}.{Zone}", (component, route));
                names.TryAdd($"{component.Definition.Name}.{component.Service}.{Zone}", (component, route));
            }
        }

        return names;
    }

    /// <summary>The same, as the other nodes know it.</summary>
    public static string InZone(string name, string zone) => $"{name[..^Zone.Length]}{zone}";

    /// <summary>Where a client on this machine reaches it.</summary>
    /// <param name="names">Of the route's mode.</param>
    /// <param name="hostPort">On 127.0.0.1; 0: there is none.</param>
    /// <returns>Empty: nowhere.</returns>
    public static string Url(
        Dictionary<string, (StoredComponent Component, Model.Definition.Route Route)> names,
        StoredComponent component,
        Model.Definition.Route route,
        int hostPort,
        ProxyOptions proxy)
    {
        if (hostPort <= 0)
            return "";
        var (scheme, listens) = route.Mode == RouteMode.L7 ? ("http", proxy.Http) : ("tls", proxy.Tls);
        var name = names.Where(n => n.Value.Route == route && n.Value.Component.Instance == component.Instance)
            .Select(n => n.Key)
            .MinBy(n => n.Length) ?? route.Hostname?.Text;
        return name is null || !IsHere(listens.Address)
            ? string.Create(CultureInfo.InvariantCulture, $"{scheme}://127.0.0.1:{hostPort}/")
            : scheme == "http" && listens.Port == HttpPort
                ? $"http://{name}/"
                : string.Create(CultureInfo.InvariantCulture, $"{scheme}://{name}:{listens.Port}/");
    }

    private static bool IsHere(IPAddress listens) =>
        IPAddress.IsLoopback(listens) || listens.Equals(IPAddress.Any) || listens.Equals(IPAddress.IPv6Any);
}
