using System.Globalization;
using Mcp.Model.Definition;
using Mcp.Model.Errors;
using Mcp.Model.Instances;
using Mcp.Model.Names;

namespace Mcp.Runtimes.Podman;

/// <summary>Volumes without a name, in which containers of versions before 0.3 have what they wrote where their image has a
/// VOLUME.</summary>
internal static class PodmanFormer
{
    /// <summary>See <see cref="IRuntime.FormerAsync"/>.</summary>
    public static async Task<FormerData?> FindAsync(LibpodClient client, InstanceName name, string path, CancellationToken ct)
    {
        var all = await client.GetAsync("/containers/json?all=true", LibpodJson.Default.LibpodListedArray, ct);
        var older = (all ?? [])
            .Select(listed => (Listed: listed, Name: PodmanNames.Of(listed)))
            .Where(c => c.Name is { } own
                && own.Service == name.Service
                && own.Component == name.Component
                && own.Generation < name.Generation
                && c.Listed.Labels?.ContainsKey(CreateRequest.VolumesLabel) == false)
            .OrderByDescending(c => c.Name!.Generation);
        foreach (var (listed, own) in older)
        {
            var container = await client.GetAsync(
                $"/containers/{Uri.EscapeDataString(listed.Id ?? "")}/json", LibpodJson.Default.LibpodContainer, ct);
            var mounted = container?.Mounts?.FirstOrDefault(m => m is { Type: "volume", Source.Length: > 0, Destination.Length: > 0 }
                && VolumePaths.Normal(m.Destination) == VolumePaths.Normal(path));
            if (container?.State is not { } state || mounted is null)
                continue;
            if (PodmanStates.Of(state.Status) is not (InstanceState.Exited or InstanceState.Failed))
            {
                throw new McpException(
                    ErrorCode.VolumeHeld,
                    $"{own} may still be writing to its {path}",
                    $"stop it: mcp stop {own!.Service}");
            }

            return new FormerData(
                mounted.Source!,
                string.Create(CultureInfo.InvariantCulture, $"{container.Id} {state.StartedAt:O} {state.FinishedAt:O}"));
        }

        return null;
    }
}
