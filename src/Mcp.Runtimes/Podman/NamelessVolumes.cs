using System.Globalization;
using Mcp.Model.Definition;
using Mcp.Model.Errors;
using Mcp.Model.Instances;
using Mcp.Model.Names;
using Mcp.Model.Revisions;

namespace Mcp.Runtimes.Podman;

/// <summary>Volumes without a name, which podman makes where an image has a VOLUME and nothing is mounted. Containers of versions before
/// 0.3 have their only data there; those of this version only what their file does not want to keep, or what no file could
/// mount.</summary>
internal static class NamelessVolumes
{
    /// <summary>Nothing in them is to be kept.</summary>
    public static bool AreUnwanted(LibpodContainer container)
    {
        var volumes = Of(container).ToList();
        return volumes.Count > 0 && volumes.All(Unwanted(container).Contains);
    }

    /// <summary>Those of a container that is made anew, as far as nothing is mounted there now.</summary>
    public static IReadOnlyList<LibpodVolume> Of(LibpodContainer? before, InstanceSpec spec)
    {
        if (before is null)
            return [];
        var mounted = spec.Mounts.Select(m => VolumePaths.Normal(m.Target)).ToHashSet();
        return [
            .. (before.Mounts ?? [])
                .Where(m => m is { IsVolume: true, Name.Length: > 0, Destination.Length: > 0 })
                .Where(m => !mounted.Contains(VolumePaths.Normal(m.Destination!)))
                .Select(m => new LibpodVolume(m.Name!, m.Destination!)),
        ];
    }

    /// <summary>See <see cref="IRuntime.FormerAsync"/>.</summary>
    public static async Task<FormerData?> FormerAsync(LibpodClient client, InstanceName name, string path, CancellationToken ct)
    {
        var all = await client.GetAsync("/containers/json?all=true", LibpodJson.Default.LibpodListedArray, ct);
        // By its name as well: what only carries our labels may be anybody's.
        var older = (all ?? [])
            .Select(listed => (Listed: listed, Name: PodmanNames.Of(listed)))
            .Where(c => c.Name is { } own
                && c.Listed.Names?.FirstOrDefault() == own.ToString()
                && own.Service == name.Service
                && own.Component == name.Component
                && own.Generation < name.Generation)
            .OrderByDescending(c => c.Name!.Generation);
        foreach (var (listed, own) in older)
        {
            var container = await client.GetAsync(
                $"/containers/{Uri.EscapeDataString(listed.Id ?? "")}/json", LibpodJson.Default.LibpodContainer, ct);
            var mounted = container?.Mounts?.FirstOrDefault(m => m is { IsVolume: true, Source.Length: > 0, Destination.Length: > 0 }
                && VolumePaths.Normal(m.Destination) == VolumePaths.Normal(path));
            if (container?.State is not { } state || mounted is null || Unwanted(container).Contains(VolumePaths.Normal(path)))
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
                container.Id ?? "",
                string.Create(CultureInfo.InvariantCulture, $"{state.StartedAt:O} {state.FinishedAt:O}"));
        }

        return null;
    }

    private static IEnumerable<string> Of(LibpodContainer container) => (container.Mounts ?? [])
        .Where(m => m.IsVolume)
        .Select(m => VolumePaths.Normal(m.Destination ?? ""));

    // As its file says.
    private static HashSet<string> Unwanted(LibpodContainer container)
    {
        try
        {
            var component = RevisionCodec.Carried(container.Config?.Labels?.GetValueOrDefault(CreateRequest.DefinitionLabel) ?? "");
            return [.. component.Volumes.Where(v => v.IsNothing).Select(v => VolumePaths.Normal(v.Target))];
        }
        catch (McpException)
        {
            return [];
        }
    }
}
