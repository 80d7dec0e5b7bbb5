using System.Globalization;
using Mcp.Agent.Deploy;
using Mcp.Agent.Registry;
using Mcp.Daemon.Operations;
using Mcp.Machine;
using Mcp.Model.Definition;
using Mcp.Model.Errors;
using Mcp.Model.Names;
using Mcp.Model.Revisions;
using Mcp.Runtimes;

namespace Mcp.Agent.Volumes;

/// <param name="Bytes">What its files take; null: not counted in time.</param>
/// <param name="UsedBy">Components that name it, and whoever else may be writing there; empty: nobody.</param>
/// <param name="Made">Null: the file system does not know.</param>
public sealed record KeptVolume(Label Service, string Name, long? Bytes, IReadOnlyList<string> UsedBy, DateTimeOffset? Made);

/// <summary>The named volumes of this node for whoever asks: what there is, and who uses it.</summary>
public sealed class KeptVolumes(AgentRegistry registry, RuntimeSet runtimes, ServiceLocks locks)
{
    // For all of them: who asks does not wait long, and a large volume takes its time.
    private static readonly TimeSpan s_counting = TimeSpan.FromSeconds(5);

    /// <param name="service">Null: of all services.</param>
    /// <exception cref="McpException">volume.unsure</exception>
    public async Task<IReadOnlyList<KeptVolume>> ListAsync(Label? service, CancellationToken ct)
    {
        var all = (service is null ? runtimes.Volumes.Services() : [service])
            .SelectMany(s => runtimes.Volumes.Of(s).Select(name => (Service: s, Name: name)))
            .ToList();
        var users = await UsersAsync(all, ct);
        using var limit = new Within(s_counting, ct);
        var volumes = new List<KeptVolume>();
        foreach (var volume in all)
        {
            var directory = runtimes.Volumes.Root.Of(volume.Service, volume.Name);
            // Where it is a link, of what it leads to.
            var bytes = await NumberAsync("du", ["--summarize", "--dereference-args", "--block-size=1", "--", directory], limit, ct);
            var made = await NumberAsync("stat", ["--format=%W", "--", directory], limit, ct);
            volumes.Add(new KeptVolume(
                volume.Service,
                volume.Name,
                bytes,
                users[volume],
                made is > 0 and var seconds ? DateTimeOffset.FromUnixTimeSeconds(seconds) : null));
        }

        return volumes;
    }

    /// <exception cref="McpException">volume.unknown, volume.in_use, volume.unsure</exception>
    public async Task<IReadOnlyList<string>> RemoveAsync(Label service, string name, CancellationToken ct)
    {
        using var held = await locks.TakeAsync(service, ct);
        if (!runtimes.Volumes.Of(service).Contains(name))
        {
            throw new McpException(
                ErrorCode.VolumeUnknown,
                $"service {service} has no volume {Label.Clip(name)} on this node",
                "mcp volume list shows those that are");
        }

        if (registry.Operations.Open().Any(o => o.Subject == service.Text))
            throw InUse(service, name, "a deploy that is not finished");
        var users = (await UsersAsync([(service, name)], ct))[(service, name)];
        if (users.Count > 0)
            throw InUse(service, name, string.Join(", ", users));
        await runtimes.Volumes.RemoveAsync(service, name);
        return [$"removed the volume {service}/{name} with its data"];
    }

    private static McpException InUse(Label service, string name, string by) => new(
        ErrorCode.VolumeInUse,
        $"the volume {service}/{name} is not removed: {by} uses it",
        $"undeploy the service first (mcp undeploy {service}), or deploy it without the volume");

    // Components that are stopped, too, and what the registry does not know: the runtimes are asked.
    private async Task<Dictionary<(Label Service, string Name), IReadOnlyList<string>>> UsersAsync(
        IReadOnlyList<(Label Service, string Name)> volumes,
        CancellationToken ct)
    {
        var root = runtimes.Volumes.Root;
        var named = registry.Components.List().Select(c => (c.Service, c.Definition, Who: $"{c.Service}.{c.Definition.Name}")).ToList();
        foreach (var instance in await runtimes.ListAsync(ct))
        {
            if (Carried(instance) is { } definition && named.All(n => n.Who != $"{instance.Name.Service}.{instance.Name.Component}"))
                named.Add((instance.Name.Service, definition, $"{instance.Name}"));
        }

        var holders = await runtimes.Guard.HoldersAsync([.. volumes.Select(v => root.Of(v.Service, v.Name))], ct);
        return volumes.ToDictionary(v => v, v =>
        {
            var directory = root.Of(v.Service, v.Name);
            var users = named.Where(n => n.Definition.Volumes.Any(m => !m.IsNothing && HostPaths.Overlap(root.Of(n.Service, m), directory)))
                .Select(n => n.Who)
                .ToHashSet();
            var others = holders[directory]
                .Where(h => h.Instance is not { } i || !(users.Contains($"{i.Service}.{i.Component}") || users.Contains($"{i}")))
                .Select(h => h.Who);
            return (IReadOnlyList<string>)[.. users.Concat(others).Distinct().Order(StringComparer.Ordinal)];
        });
    }

    // Null: another version's; what it may write to the runtime says.
    private static ComponentDefinition? Carried(InstanceInfo instance)
    {
        try
        {
            return RevisionCodec.Carried(instance.Definition);
        }
        catch (McpException)
        {
            return null;
        }
    }

    private static async Task<long?> NumberAsync(string program, IReadOnlyList<string> arguments, Within limit, CancellationToken ct)
    {
        try
        {
            var (_, said) = await Programs.RunAsync(Programs.Start(program, arguments), s_counting, limit.Token);
            // Of files that went away meanwhile it complains, and counts the others.
            var last = said.Split('\n')[^1].Split('\t')[0];
            return long.TryParse(last, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : null;
        }
        catch (Exception e) when (e is McpException || (e is OperationCanceledException && !ct.IsCancellationRequested))
        {
            return null;
        }
    }
}
