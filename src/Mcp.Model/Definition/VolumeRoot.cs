using Mcp.Model.Names;

namespace Mcp.Model.Definition;

/// <summary>Where a node keeps the named volumes: one directory for each service, in it one for each name.</summary>
/// <param name="Path">Absolute.</param>
public sealed record VolumeRoot(string Path)
{
    public string Of(Label service) => $"{Path}/{service}";

    public string Of(Label service, string name) => $"{Of(service)}/{name}";

    /// <summary>The directory on the host.</summary>
    public string Of(Label service, VolumeMount volume) => volume.IsNamed ? Of(service, volume.Source) : volume.Source;

    /// <summary>The same with directories on the host; what lies below another one inside comes after it.</summary>
    public IReadOnlyList<VolumeMount> Mounts(Label service, ComponentDefinition component) =>
        [
            .. component.Volumes.Where(v => !v.IsNothing)
                .OrderBy(v => VolumePaths.Normal(v.Target), StringComparer.Ordinal)
                .Select(v => v with { Source = Of(service, v) }),
        ];
}
