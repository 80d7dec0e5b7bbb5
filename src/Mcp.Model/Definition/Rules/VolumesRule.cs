namespace Mcp.Model.Definition.Rules;

/// <summary>Within a component each path inside is mounted once; what an image keeps is for the node to say.</summary>
public sealed class VolumesRule : IDefinitionRule
{
    public IEnumerable<Problem> Check(ServiceDefinition service, Places places)
    {
        foreach (var volume in service.Components.SelectMany(c => c.Volumes.RepeatsBy(v => v.Target.TrimEnd('/'))))
            yield return places.Problem(volume, "two volumes have the same path inside", volume.Target, "each path inside once");
        foreach (var volume in service.Components.SelectMany(c => c.Volumes.Where(v => v.FromImage)))
        {
            yield return places.Problem(
                volume,
                "a node adds the volumes of an image by itself",
                $"{volume}",
                $"leave it out, or {volume.Source}:{volume.Target}");
        }
    }
}
