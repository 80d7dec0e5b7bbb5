using Mcp.Model.Instances;

namespace Mcp.Runtimes.Podman;

/// <summary>Podman's words for what a container does. Source: https://github.com/containers/podman, libpod/define/containerstate.go.</summary>
internal static class PodmanStates
{
    public static InstanceState Of(string? status) => status switch
    {
        "running" or "stopping" => InstanceState.Running,
        "paused" => InstanceState.Paused,
        "created" or "configured" or "initialized" => InstanceState.Failed,
        "exited" or "stopped" => InstanceState.Exited,
        "removing" => InstanceState.Removed,
        _ => InstanceState.Unknown,
    };
}
