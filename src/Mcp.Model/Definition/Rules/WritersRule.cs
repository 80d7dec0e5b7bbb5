namespace Mcp.Model.Definition.Rules;

/// <summary>A writable volume has one writer unless all that have it say :shared; what one instance at a time can hold is not updated
/// beside the old one.</summary>
public sealed class WritersRule : IDefinitionRule
{
    public IEnumerable<Problem> Check(ServiceDefinition service, Places places)
    {
        foreach (var component in service.Components.Where(c => c.Update == UpdateMode.Beside && c.HoldsExclusively))
        {
            yield return component.Volumes.FirstOrDefault(v => v.Exclusive) is { } volume
                ? places.Problem(
                    component,
                    "update = \"beside\" would let two instances write to one volume",
                    volume.Source,
                    $"{volume.Source}:{volume.Target}:shared where several writers are meant, or update = \"stop-first\"")
                : places.Problem(
                    component,
                    "update = \"beside\" does not go with fixed ports or the host network",
                    component.Name.Text,
                    "update = \"stop-first\"");
        }

        var writers = service.Components.SelectMany(c => c.Volumes.Where(v => v.Writable).Select(v => (Component: c, Volume: v))).ToList();
        for (var i = 1; i < writers.Count; i++)
        {
            var (component, volume) = writers[i];
            var other = writers.Take(i)
                .FirstOrDefault(w => w.Component != component
                    && (w.Volume.Exclusive || volume.Exclusive)
                    && VolumePaths.Overlap(w.Volume.Source, volume.Source));
            if (other.Volume is not null)
            {
                yield return places.Problem(
                    volume,
                    $"component {other.Component.Name} writes to {other.Volume.What}, too",
                    volume.Source,
                    ":shared on both where several writers are meant, or :ro");
            }
        }
    }
}
