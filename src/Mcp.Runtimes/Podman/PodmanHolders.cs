using Mcp.Model.Definition;
using Mcp.Model.Errors;
using Mcp.Model.Revisions;

namespace Mcp.Runtimes.Podman;

/// <summary>Which containers may write to which directories of the host, those of others in the same store too.</summary>
internal static class PodmanHolders
{
    // https://github.com/containers/podman: libpod/define/containerstate.go. All others, also those to come, may still run.
    private static readonly HashSet<string> s_ended = ["created", "configured", "exited", "stopped"];

    public static async Task<IReadOnlyList<VolumeHolder>> AskAsync(LibpodClient client, CancellationToken ct)
    {
        try
        {
            var holders = new List<VolumeHolder>();
            var all = await client.GetAsync("/containers/json?all=true", LibpodJson.Default.LibpodListedArray, ct)
                ?? throw new LibpodException(0, "it gave no list of containers");
            foreach (var listed in all)
            {
                if (await HolderAsync(client, listed, ct) is { } holder)
                    holders.Add(holder);
            }

            return holders;
        }
        catch (Exception e) when (e is LibpodException or IOException or System.Text.Json.JsonException
            || (e is OperationCanceledException && !ct.IsCancellationRequested))
        {
            var why = e is OperationCanceledException ? "no answer in time" : e.Message;
            throw new McpException(
                ErrorCode.VolumeUnsure,
                $"podman does not say which containers run, so nothing is started that writes to a volume: {why}",
                "run podman ps on the node",
                e);
        }
    }

    private static async Task<VolumeHolder?> HolderAsync(LibpodClient client, LibpodListed listed, CancellationToken ct)
    {
        var who = listed.Names?.FirstOrDefault() ?? listed.Id ?? "";
        var ended = listed.State is { } state && s_ended.Contains(state);
        // By its name as well: what only carries our labels may be anybody's.
        var instance = PodmanNames.Of(listed) is { } own && who == own.ToString() ? own : null;
        if (ended && instance is null)
            return null;
        var declared = instance is null ? null : Declared(listed.Labels!.GetValueOrDefault(CreateRequest.DefinitionLabel));
        if (declared is not null && !declared.Any(v => v.IsNamed))
            return new VolumeHolder(who, instance, ended, declared);
        // Gone meanwhile: it has ended.
        var container = await client.GetAsync(
            $"/containers/{Uri.EscapeDataString(listed.Id ?? who)}/json", LibpodJson.Default.LibpodContainer, ct);
        var mounts = (container?.Mounts ?? []).Where(m => m is { Writable: true, Source.Length: > 0 });
        // Of somebody else nothing says whether several writers are meant: our side does.
        bool IsShared(LibpodMounted m) => instance is null || declared?.Any(d => d.Shared && d.Target == m.Destination) == true;
        return container is null
            ? null
            : new VolumeHolder(
                instance is null ? $"container {who}" : who,
                instance,
                ended,
                [.. mounts.Select(m => new VolumeMount(m.Source!, m.Destination ?? "", false, IsShared(m)))]);
    }

    // Null: another version wrote it, and podman knows better what is mounted.
    private static IReadOnlyList<VolumeMount>? Declared(string? definition)
    {
        try
        {
            var component = RevisionCodec.Carried(definition ?? "");
            return component.UnreadKeys.Any() ? null : [.. component.Volumes.Where(v => v.Writable)];
        }
        catch (McpException)
        {
            return null;
        }
    }
}
