using Mcp.Model.Definition;
using Mcp.Model.Names;

namespace Mcp.Model.Instances;

/// <summary>Everything a runtime needs to run one instance.</summary>
/// <param name="SpecHash">Hash of the component's canonical definition; kept on the instance so that a changed definition shows.</param>
/// <param name="Ports">Published ports: the fixed ones and those allocated for routes.</param>
public sealed record InstanceSpec(
    InstanceName Name,
    ComponentDefinition Component,
    string SpecHash,
    IReadOnlyDictionary<string, string> Env,
    IReadOnlyList<FixedPort> Ports)
{
    /// <summary>The image that its reference meant when it was pulled, in the runtime's own words; empty: what it means now.</summary>
    public string KeptImage { get; init; } = "";

    /// <summary>The component's volumes as directories of this host.</summary>
    public IReadOnlyList<VolumeMount> Mounts { get; init; } = [.. Component.Volumes.Where(v => v.IsHostPath)];

    /// <summary>Who wants it has just seen that its runtime has none of this name, and it need not look again.</summary>
    public bool IsNew { get; init; }
}

/// <remarks>Paused: it is there and does nothing, since somebody has stopped the clock for it.</remarks>
public enum InstanceState { Unknown, Running, Exited, Failed, Removed, Paused }

public enum DesiredState { Running, Stopped, Ignore }
