namespace Mcp.Model.Definition.Rules;

/// <summary>Component names are unique within a service.</summary>
public sealed class ComponentNamesRule : IDefinitionRule
{
    public IEnumerable<Problem> Check(ServiceDefinition service, Places places) =>
        service.Components.RepeatsBy(c => c.Name)
            .Select(c => places.Problem(c, "two components have the same name", c.Name.Text, "each name once"));
}
