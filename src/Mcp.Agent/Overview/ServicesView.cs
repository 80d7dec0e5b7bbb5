using Mcp.Agent.Ports;
using Mcp.Agent.Proxy;
using Mcp.Agent.Probes;
using Mcp.Agent.Reconcile;
using Mcp.Agent.Registry;
using Mcp.Model.Definition;
using Mcp.Model.Names;

namespace Mcp.Agent.Overview;

/// <summary>The node's services as others see them: what is wanted, beside what the reconciler saw last.</summary>
public sealed class ServicesView(
    AgentConfig config,
    ComponentsTable components,
    PortAllocator ports,
    Reconciler reconciler,
    RestartKeeper restarts,
    HealthKeeper health)
{
    /// <param name="service">Only this one; null: all.</param>
    public ServicesStatus Status(Label? service)
    {
        var observed = reconciler.Sight.Instances.ToDictionary(o => o.Name);
        var stored = components.List(service);
        var names = Enum.GetValues<RouteMode>().ToDictionary(m => m, m => LocalNames.Of(stored, m));
        var all = stored.Select(c => new ComponentView(
            c,
            observed.GetValueOrDefault(c.Instance),
            restarts.Count(c.Instance),
            [.. c.Definition.Routes.Select(r => View(c, r))])
        {
            Unhealthy = health.Of(c.Service, c.Definition.Name),
            Starting = health.StartOf(c.Service, c.Definition.Name),
            Sight = reconciler.Sight.Of(c.Definition.Runtime),
        });
        var drift = reconciler.Unexpected.Where(d => service is null || d.Service == service);
        return new ServicesStatus(config.Name, [.. all], [.. drift], [.. reconciler.Sight.All.Where(s => s.Silent is not null)]);

        RouteView View(StoredComponent component, Model.Definition.Route route)
        {
            var port = ports.HostPort(component.Instance, component.Definition, route.Port);
            return new RouteView(route, port, LocalNames.Url(names[route.Mode], component, route, port, config.Proxy));
        }
    }
}
