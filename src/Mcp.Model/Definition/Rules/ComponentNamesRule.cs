namespace Mcp.Model.Definition.Rules;

/// <summary>A service has components, and each a name of its own.</summary>
public sealed class ComponentNamesRule : IDefinitionRule
{
    public IEnumerable<Problem> Check(ServiceDefinition service, Places places)
    {
        if (service.Components.Count == 0 && !places.Says(service, "components"))
            yield return places.Problem(service, "a service needs a component", "", "[[components]], with a name and an image");
        foreach (var component in service.Components.RepeatsBy(c => c.Name))
            yield return places.Problem(component, "two components have the same name", component.Name.Text, "each name once");
    }
}
