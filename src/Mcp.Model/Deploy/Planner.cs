using Mcp.Model.Definition;
using Mcp.Model.Errors;
using Mcp.Model.Names;
using Mcp.Model.Revisions;

namespace Mcp.Model.Deploy;

/// <summary>What is wanted and what is there, to a plan. What did not change is kept. Pure.</summary>
/// <param name="overlap">Whether two host paths are one, or one lies below the other, on this node.</param>
/// <param name="root">Where this node keeps named volumes.</param>
public sealed class Planner(Func<string, string, bool> overlap, VolumeRoot root)
{
    /// <exception cref="McpException">component.unknown; volume.held, port.in_use: two components have one volume or port.</exception>
    public RolloutPlan Plan(RolloutRequest asked, CurrentService there)
    {
        var target = asked.Only is null ? asked.Wanted : With(asked.Wanted, there.Definition, asked.Only);
        CanRunAtOnce(target);
        foreach (var pulled in asked.Pull)
            CanBePulled(pulled, asked.Only, target);
        var current = there.Components.ToDictionary(c => c.Definition.Name);
        var changes = target.Components
            .Where(c => asked.Only is null || c.Name == asked.Only)
            .Select(c => Change(target, c, current.GetValueOrDefault(c.Name), there, asked))
            .ToList();
        // A file that says that the service is not active stops all of it, also where one component alone was asked for.
        if (!target.Active)
        {
            changes.AddRange(there.Components.Where(c => c.Wanted && asked.Only is not null && c.Definition.Name != asked.Only)
                .Select(c => Kept(c, active: false)));
        }

        foreach (var gone in there.Components.Where(c => target.Components.All(t => t.Name != c.Definition.Name)))
        {
            changes.Add(new ComponentChange
            {
                Component = gone.Definition.Name,
                Kind = ChangeKind.Remove,
                Old = gone.Generation,
                OldWanted = gone.Wanted,
                Why = "it is not in the file",
            });
        }

        return new RolloutPlan
        {
            Node = there.Node,
            Target = target,
            Previous = there.Definition,
            Fields = FieldChanges.Of(there.Definition, target),
            Changes = changes,
        };
    }

    /// <summary>Why the two cannot run at once; null: they can.</summary>
    public string? Clash(Label service, ComponentDefinition one, ComponentDefinition other) =>
        Clash(service, one, service, other);

    /// <summary>The same of components of two services.</summary>
    public string? Clash(Label service, ComponentDefinition one, Label others, ComponentDefinition other) =>
        VolumeClash(service, one, others, other) ?? PortClash(one, other);

    /// <summary>The same, of volumes alone.</summary>
    public string? VolumeClash(Label service, ComponentDefinition one, Label others, ComponentDefinition other)
    {
        var volume = one.Volumes.FirstOrDefault(v => v.Writable
            && other.Volumes.Any(o => o.Writable && (o.Exclusive || v.Exclusive) && overlap(root.Of(others, o), root.Of(service, v))));
        return volume is null ? null : $"only one instance at a time may write to {volume.What}";
    }

    private static string? PortClash(ComponentDefinition one, ComponentDefinition other)
    {
        var port = one.Ports.FirstOrDefault(p => other.Ports.Any(o => o.Host == p.Host
            && (o.Address == p.Address || IsEvery(o) || IsEvery(p))));
        return port is null ? null : $"only one instance at a time can have port {port.Host} of the node";
    }

    private static bool IsEvery(FixedPort port) => port.Address is "0.0.0.0" or "::";

    private static ServiceDefinition With(ServiceDefinition wanted, ServiceDefinition? before, Label only)
    {
        var component = wanted.Components.FirstOrDefault(c => c.Name == only)
            ?? throw new McpException(
                ErrorCode.ComponentUnknown,
                $"service {wanted.Name} has no component {only}",
                $"it has: {string.Join(", ", wanted.Components.Select(c => c.Name))}");
        var there = before?.Components ?? [];
        return wanted with
        {
            Components = there.Any(c => c.Name == only)
            ? [.. there.Select(c => c.Name == only ? component : c)]
            : [.. there, component]
        };
    }

    private static void CanBePulled(Label component, Label? only, ServiceDefinition target)
    {
        if (target.Components.Any(c => c.Name == component && (only is null || only == component)))
            return;
        throw new McpException(
            ErrorCode.ComponentUnknown,
            $"--pull {component}: no component of that name is deployed",
            $"these are: {(only is { } one ? one.Text : string.Join(", ", target.Components.Select(c => c.Name)))}");
    }

    // A file has no such two; one component of it beside what the others were may, and so may two paths that are one on this node.
    private void CanRunAtOnce(ServiceDefinition target)
    {
        for (var i = 1; i < target.Components.Count; i++)
        {
            var component = target.Components[i];
            foreach (var other in target.Components.Take(i))
            {
                if (VolumeClash(target.Name, other, target.Name, component) is { } volume)
                {
                    throw new McpException(
                        ErrorCode.VolumeHeld,
                        $"components {other.Name} and {component.Name} cannot run at once: {volume}",
                        "say :shared on both where several writers are meant, or :ro where one only reads");
                }

                if (PortClash(other, component) is { } port)
                {
                    throw new McpException(
                        ErrorCode.PortInUse,
                        $"components {other.Name} and {component.Name} cannot run at once: {port}",
                        "give one of them another port, or deploy all of the file and not one component");
                }
            }
        }
    }

    private ComponentChange Change(
        ServiceDefinition target,
        ComponentDefinition wanted,
        CurrentComponent? before,
        CurrentService there,
        RolloutRequest asked)
    {
        var (service, active) = (target.Name, target.Active);
        if (before is null)
        {
            var taken = active ? TakenOver(service, wanted, there.Components) : null;
            return new ComponentChange
            {
                Component = wanted.Name,
                Kind = ChangeKind.Create,
                New = there.Next.GetValueOrDefault(wanted.Name, 1),
                StopsFirst = taken is not null,
                Finds = Found(wanted, there),
                Declares = Declared(wanted, null),
                Pulls = Pulls(wanted, null, asked),
                Why = Sentence(
                    Sentence(Sentence("new", Found(wanted, there)), active ? taken : "not started: active = false"),
                    Declared(wanted, null)),
                Fields = FieldChanges.Of(null, wanted),
            };
        }

        var news = News(wanted, before, asked);
        if (Reason(wanted, before, active, asked) is not { } reason)
            return Kept(before, active, news);
        var first = StopsFirst(service, wanted, before) ?? TakenOver(service, wanted, there.Components);
        return new ComponentChange
        {
            Component = wanted.Name,
            Kind = ChangeKind.Replace,
            Old = before.Generation,
            OldWanted = before.Wanted,
            New = there.Next.GetValueOrDefault(wanted.Name, before.Generation + 1),
            StopsFirst = first is not null,
            Finds = Found(wanted, there),
            Declares = Declared(wanted, before),
            Pulls = Pulls(wanted, before, asked),
            Why = Sentence(Sentence(Sentence(Sentence(reason, Found(wanted, there)), first), Declared(wanted, before)), news),
            Fields = FieldChanges.Of(before.Definition, wanted),
        };
    }

    // Whoever writes a name for the first time may not know that there is such a volume.
    private static string? Found(ComponentDefinition wanted, CurrentService there)
    {
        var found = wanted.Volumes.Where(v => v.IsNamed
            && there.Volumes.Contains(v.Source)
            && there.Components.All(c => c.Definition.Volumes.All(o => o.Source != v.Source)));
        var names = found.Select(v => v.Source).Distinct().ToList();
        return names.Count > 0
            ? $"takes over what is kept in its volume{(names.Count > 1 ? "s" : "")} {string.Join(" and ", names)}"
            : null;
    }

    // At each deploy: nobody wrote it.
    private static string? Declared(ComponentDefinition wanted, CurrentComponent? before)
    {
        var found = wanted.Volumes.Where(v => v.FromImage).Select(v => $"{v.Target} in the volume {v.Source}").ToList();
        if (found.Count == 0)
            return null;
        var unseen = before is not null && before.Definition.Image != wanted.Image ? "; the new image's files there are hidden" : "";
        return $"its image's VOLUME is kept: {string.Join(", ", found)}{unseen}";
    }

    private static bool Pulls(ComponentDefinition wanted, CurrentComponent? before, RolloutRequest asked) =>
        asked.Pull.Contains(wanted.Name)
            || wanted.Pull == PullPolicy.Always
            || (wanted.Pull == PullPolicy.Changed && before?.Definition.Image != wanted.Image);

    // Of what is not taken by itself.
    private static string? News(ComponentDefinition wanted, CurrentComponent there, RolloutRequest asked)
    {
        if (Pulls(wanted, there, asked) && there.News == ImageNews.Newer)
            return null;
        return there.News switch
        {
            ImageNews.Newer => $"the registry has a newer image, and --pull {wanted.Name} takes it",
            ImageNews.NoAnswer => "could not look for a newer image: its registry did not answer",
            ImageNews.Unknown or ImageNews.Same => null,
        };
    }

    private static ComponentChange Kept(CurrentComponent there, bool active, string? news = null)
    {
        var ends = !active && there.Wanted;
        return new ComponentChange
        {
            Component = there.Definition.Name,
            Kind = ChangeKind.Keep,
            Old = there.Generation,
            OldWanted = there.Wanted,
            Ends = ends,
            Why = Sentence(Sentence("unchanged", ends ? "it stops: active = false" : null), news),
        };
    }

    private static string Sentence(string what, string? more) => more is null ? what : $"{what}; {more}";

    /// <returns>Null: nothing to do.</returns>
    private static string? Reason(ComponentDefinition wanted, CurrentComponent there, bool active, RolloutRequest asked)
    {
        if (RevisionCodec.Write(wanted) != RevisionCodec.Write(there.Definition))
        {
            // What nothing was mounted on had no data of the service's.
            var isElsewhere = !there.Definition.Volumes.Select(v => v.Source).ToHashSet().SetEquals(
                wanted.Volumes.Where(v => !v.FromImage || there.Definition.Volumes.Any(o => o.Target == v.Target)).Select(v => v.Source));
            return isElsewhere ? "changed; other volumes; no data is copied" : "changed";
        }

        if (asked.Force)
            return "asked for with --force";
        if (asked.Pull.Contains(wanted.Name))
            return "asked for with --pull";
        if (active && wanted.Pull == PullPolicy.Always && there.News == ImageNews.Newer)
            return "the registry has a newer image";
        if (!active || (there.Wanted && there.Runs))
            return null;
        return there.Wanted ? "it does not run" : "it is stopped";
    }

    private string? StopsFirst(Label service, ComponentDefinition wanted, CurrentComponent there)
    {
        if (wanted.Update == UpdateMode.StopFirst)
            return "stops first: update = \"stop-first\"";
        if (Clash(service, wanted, there.Definition) is { } why)
            return $"stops first: {why}";
        // A program does not look at data that its older generation is writing.
        if (there.Definition.Volumes.Any(v => v.Exclusive && wanted.Volumes.Any(w => overlap(root.Of(service, v), root.Of(service, w)))))
            return "stops first: the old instance alone writes to its volume";
        return wanted.StopFirst
            ? $"stops first: {(wanted.Network == "host" ? "it is on the host network" : "only one instance can have its port or volume")}"
            : null;
    }

    private string? TakenOver(Label service, ComponentDefinition wanted, IReadOnlyList<CurrentComponent> current)
    {
        var loser = current.FirstOrDefault(c => c.Definition.Name != wanted.Name && Clash(service, wanted, c.Definition) is not null);
        return loser is null ? null : $"component {loser.Definition.Name} stops first: {Clash(service, wanted, loser.Definition)}";
    }
}
