namespace Mcp.Model.Definition.Rules;

/// <summary>Route names are unique within a component, hostnames within the service; what is public or passed through by SNI needs a
/// hostname.</summary>
public sealed class RoutesRule : IDefinitionRule
{
    public IEnumerable<Problem> Check(ServiceDefinition service, Places places)
    {
        foreach (var component in service.Components)
        {
            foreach (var twice in component.Routes.RepeatsBy(r => r.Name))
                yield return places.Problem(twice, "two routes of a component have the same name", twice.Name.Text, "each name once");
        }

        var routes = service.Components.SelectMany(c => c.Routes).ToList();
        foreach (var route in routes.Where(r => r.Mode == RouteMode.L4 && r.IdleTimeout != Route.UsualIdleTimeout))
        {
            yield return places.Problem(
                route,
                "an l4 route has no idle_timeout: its connections live as long as both ends want",
                route.Name.Text,
                "leave it out, or mode = \"l7\"");
        }

        foreach (var twice in routes.Where(r => r.Hostname is not null).ToList().RepeatsBy(r => r.Hostname!))
            yield return places.Problem(twice, "two routes have the same hostname", twice.Hostname!.Text, "each hostname once");
        foreach (var route in routes.Where(r => r.Hostname is null && (r.Public || r.Mode == RouteMode.L4)))
        {
            yield return places.Problem(
                route,
                route.Public ? "a public route needs a hostname" : "an l4 route needs a hostname",
                route.Name.Text,
                "hostname = \"blog.example.com\"");
        }
    }
}
