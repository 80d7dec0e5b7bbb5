namespace Mcp.Model.Definition.Rules;

/// <summary>One thing that holds for every definition. Yields a problem for each place that breaks it.</summary>
public interface IDefinitionRule
{
    IEnumerable<Problem> Check(ServiceDefinition service, Places places);
}
