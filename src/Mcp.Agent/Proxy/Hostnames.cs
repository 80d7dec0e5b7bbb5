using Mcp.Agent.Registry;
using Mcp.Model.Definition;
using Mcp.Model.Errors;
using Mcp.Model.Routes;

namespace Mcp.Agent.Proxy;

/// <summary>Which hostnames a service may have on this node. Asked where a person wants something new, never of what is there.</summary>
public sealed class Hostnames(AgentConfig config, ComponentsTable components)
{
    /// <exception cref="McpException">route.zone: in the zone. route.taken: another service of this node has it.</exception>
    public void Check(ServiceDefinition service)
    {
        ZoneNames.Check(config.Zone, service);
        var wanted = Of(service.Components).ToHashSet();
        foreach (var other in components.List().Where(c => c.Service != service.Name))
        {
            if (Of([other.Definition]).FirstOrDefault(wanted.Contains) is { } twice)
            {
                throw new McpException(
                    ErrorCode.RouteTaken,
                    $"{twice} is a hostname of the service {other.Service} here",
                    "one hostname leads to one service: undeploy that one first, or deploy it without the hostname");
            }
        }
    }

    /// <summary>Of what this agent alone is asked for: only a fleet's master has edge nodes let the public in.</summary>
    /// <exception cref="McpException">route.public</exception>
    public static void CheckAlone(ServiceDefinition service)
    {
        var asked = service.Components
            .SelectMany(c => c.Routes.Where(r => r.Public).Select(r => $"{c.Name}/{r.Name}"))
            .FirstOrDefault();
        if (asked is null)
            return;
        throw new McpException(
            ErrorCode.RoutePublic,
            $"the route {asked} is public, and a public route needs a fleet with an edge node",
            "deploy it through the master (without --direct); or leave out public: the node's proxy answers for the hostname all the same");
    }

    private static IEnumerable<Model.Names.Hostname> Of(IEnumerable<ComponentDefinition> components) =>
        components.SelectMany(c => c.Routes).Select(r => r.Hostname).OfType<Model.Names.Hostname>();
}
