namespace Mcp.Model.Definition.Rules;

/// <summary>Within a component each path inside is mounted once.</summary>
public sealed class VolumesRule : IDefinitionRule
{
    public IEnumerable<Problem> Check(ServiceDefinition service, Places places) =>
        service.Components.SelectMany(c => c.Volumes.RepeatsBy(v => v.Target.TrimEnd('/')))
            .Select(v => places.Problem(v, "two volumes have the same path inside", v.Target, "each path inside once"));
}
