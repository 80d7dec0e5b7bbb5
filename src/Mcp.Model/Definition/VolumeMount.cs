namespace Mcp.Model.Definition;

/// <summary>A directory of the host seen inside the instance.</summary>
/// <param name="Source">A path on the host, the name of a volume of the service's own, or <see cref="Nothing"/>.</param>
/// <param name="Shared">Several instances may write to it at once. Never together with <paramref name="ReadOnly"/>.</param>
/// <param name="FromImage">No file says it: the image has a VOLUME there (<see cref="ImageVolumes"/>).</param>
public sealed record VolumeMount(string Source, string Target, bool ReadOnly, bool Shared = false, bool FromImage = false)
{
    /// <summary>As a source: a VOLUME of the image is not kept.</summary>
    public const string Nothing = "none";

    public bool IsNothing => Source == Nothing;

    public bool IsHostPath => Source.StartsWith('/');

    /// <summary>The service's own: <see cref="VolumeRoot"/> says where it lies.</summary>
    public bool IsNamed => !IsHostPath && !IsNothing;

    public bool Writable => !ReadOnly;

    /// <summary>One instance at a time may have it.</summary>
    public bool Exclusive => Writable && !Shared;

    /// <summary>For people.</summary>
    public string What => IsNamed ? $"the volume {Source}" : Source;

    /// <summary>As it is written and stored.</summary>
    public override string ToString() =>
        $"{Source}:{Target}{(FromImage ? ":image" : IsNothing ? "" : ReadOnly ? ":ro" : Shared ? ":shared" : "")}";
}
