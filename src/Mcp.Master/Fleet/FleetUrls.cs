using System.Net;
using Mcp.Master.Store;
using Mcp.Protocol.V1;

namespace Mcp.Master.Fleet;

/// <summary>Where routes are reached that an agent tells of as seen from its own node: the public ones at the edge, the others by the
/// node's proxy in the overlay.</summary>
internal static class FleetUrls
{
    private const string OnNode = ".localhost";

    public static void Mark(StatusReply reply, IEnumerable<StoredNode> nodes)
    {
        var facts = nodes.Where(n => n.Facts is not null).ToDictionary(n => n.Name.Text, n => n.Facts!);
        foreach (var component in reply.Components)
        {
            foreach (var route in component.Routes)
                route.Url = Of(route, facts.GetValueOrDefault(component.Node));
        }
    }

    // A route that has no name of its own on its node has none here.
    private static string Of(RouteStatus route, NodeStatusReply? node)
    {
        if (route.Edge.Length > 0)
            return $"https://{route.Hostname}/";
        return route.Url.StartsWith("http:", StringComparison.Ordinal)
            && Uri.TryCreate(route.Url, UriKind.Absolute, out var local)
            && local.Host.EndsWith(OnNode, StringComparison.Ordinal)
            && IPEndPoint.TryParse(node?.Overlay ?? "", out var overlay)
                ? $"https://{local.Host[..^OnNode.Length]}.{node!.Zone}:{overlay.Port}/"
                : "";
    }
}
