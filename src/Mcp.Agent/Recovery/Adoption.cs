using Mcp.Agent.Deploy;
using Mcp.Agent.Proxy;
using Mcp.Agent.Registry;
using Mcp.Daemon.Operations;
using Mcp.Model.Definition;
using Mcp.Model.Errors;
using Mcp.Model.Events;
using Mcp.Model.Instances;
using Mcp.Model.Names;
using Mcp.Model.Revisions;
using Mcp.Runtimes;

namespace Mcp.Agent.Recovery;

/// <summary>Takes instances that mcp once started and that the registry does not know back into it, as they are: each carries its
/// definition. For a registry that was lost or restored from an old backup.</summary>
public sealed class Adoption(AgentRegistry registry, RuntimeSet runtimes, INodeProxy proxy, ServiceLocks locks)
{
    /// <param name="only">Only this service; null: all.</param>
    public async Task<IReadOnlyList<string>> AdoptAsync(Label? only, bool dryRun, CancellationToken ct)
    {
        var done = new List<string>();
        var failed = new List<McpException>();
        var all = (await runtimes.ListAsync(ct)).Where(i => only is null || i.Name.Service == only);
        foreach (var service in all.GroupBy(i => i.Name.Service).OrderBy(g => g.Key.Text, StringComparer.Ordinal))
        {
            using var held = await locks.TakeAsync(service.Key, ct);
            var known = registry.Components.List(service.Key).Select(c => c.Definition.Name).ToHashSet();
            var strangers = service.Where(i => !known.Contains(i.Name.Component)).GroupBy(i => i.Name.Component).Select(Newest).ToList();
            if (strangers.Count == 0)
                continue;
            try
            {
                if (!dryRun)
                {
                    Adopt(service.Key, strangers);
                    await proxy.PushAsync(ct);
                }

                done.AddRange(strangers.Select(i => $"{(dryRun ? "would adopt" : "adopted")} {i.Name}"));
            }
            catch (McpException e)
            {
                // One that cannot be adopted keeps no other from it.
                failed.Add(e);
            }
        }

        if (failed.Count == 0)
            return done;
        var others = done.Count == 0 ? "" : $" ({string.Join(", ", done)})";
        throw new McpException(ErrorCode.AdoptFailed, string.Join("; ", failed.Select(e => e.Message)) + others, failed[0].Hint, failed[0]);
    }

    // The older generations are left over from a deploy; the reconciler removes them.
    private static InstanceInfo Newest(IEnumerable<InstanceInfo> generations) =>
        generations.OrderByDescending(i => i.State == Model.Instances.InstanceState.Running)
            .ThenByDescending(i => i.Name.Generation)
            .First();

    private void Adopt(Label service, List<InstanceInfo> strangers)
    {
        var before = registry.Components.Find(service) ?? new ServiceDefinition { Name = service };
        var components = strangers.Select(i => Definition(i)).ToList();
        // A component that is known and has no ports would have no routes either.
        foreach (var (instance, component) in strangers.Zip(components))
        {
            foreach (var port in instance.Ports.Except(component.Ports))
                registry.Ports.TryTake(instance.Name, port.Host, port.Instance);
        }

        var desired = before.Active ? DesiredState.Running : DesiredState.Stopped;
        // What an instance carries is its own, whatever version made it: it is not to be made anew.
        var adopted = strangers.Zip(components, (i, c) => ComponentRow.Of(c, i.Name.Generation, desired) with { SpecHash = i.SpecHash });
        registry.Components.Store(before, [.. registry.Components.List(service).Select(c => c.Row), .. adopted]);
        foreach (var (instance, component) in strangers.Zip(components))
        {
            registry.Generations.Give(service, component.Name, instance.Name.Generation);
            registry.Events.Add(service.Text, component.Name.Text, EventKind.ComponentAdopted, instance.Name.ToString());
        }
    }

    private static ComponentDefinition Definition(InstanceInfo instance)
    {
        try
        {
            return RevisionCodec.Carried(instance.Definition) is var carried && carried.Name == instance.Name.Component
                ? carried
                : throw new McpException(ErrorCode.DefinitionUnreadable, $"it is the definition of {carried.Name}");
        }
        catch (McpException e)
        {
            throw new McpException(
                ErrorCode.AdoptFailed,
                $"{instance.Name} does not carry a definition that this agent can read",
                $"deploy the service again, or remove the instance: mcp purge ({e.Message})",
                e);
        }
    }
}
