using Mcp.Model.Definition;
using Mcp.Model.Errors;
using Mcp.Model.Instances;
using Mcp.Model.Names;

namespace Mcp.Model.Deploy;

/// <summary>What is wanted and what is there, to a plan. What did not change is kept. Pure.</summary>
/// <param name="overlap">Whether two host paths are one, or one lies below the other, on this node.</param>
public sealed class Planner(Func<string, string, bool> overlap)
{
    /// <param name="only">Only this component; null: all.</param>
    /// <param name="force">What did not change is replaced, too.</param>
    /// <exception cref="McpException">component.unknown; volume.held: two components of the service would write to one volume.</exception>
    public RolloutPlan Plan(ServiceDefinition wanted, ServiceDefinition? before, IReadOnlyList<CurrentComponent> current, Label? only, bool force)
    {
        var target = only is null ? wanted : With(wanted, before, only);
        OneWriter(target);
        var there = current.ToDictionary(c => c.Definition.Name);
        var asked = target.Components.Where(c => only is null || c.Name == only);
        var changes = asked.Select(c => Change(c, there.GetValueOrDefault(c.Name), current, target.Active, force)).ToList();
        foreach (var gone in current.Where(c => target.Components.All(t => t.Name != c.Definition.Name)))
            changes.Add(new ComponentChange(gone.Definition.Name, ChangeKind.Remove, gone.Generation, false, $"{gone.Definition.Image}"));
        return new RolloutPlan(target, changes);
    }

    /// <summary>Why the two cannot run at once; null: they can.</summary>
    public string? Clash(ComponentDefinition one, ComponentDefinition other)
    {
        foreach (var volume in one.Volumes.Where(v => !v.ReadOnly))
        {
            if (other.Volumes.Any(v => !v.ReadOnly && (v.Exclusive || volume.Exclusive) && overlap(v.Source, volume.Source)))
                return $"only one instance at a time may write to {volume.Source}";
        }

        var port = one.Ports.FirstOrDefault(p => other.Ports.Any(o => o.Host == p.Host && (o.Address == p.Address || IsEvery(o) || IsEvery(p))));
        return port is null ? null : $"only one instance at a time can have port {port.Host} of the node";
    }

    private static bool IsEvery(FixedPort port) => port.Address is "0.0.0.0" or "::";

    private static ServiceDefinition With(ServiceDefinition wanted, ServiceDefinition? before, Label only)
    {
        var component = wanted.Components.FirstOrDefault(c => c.Name == only)
            ?? throw new McpException(ErrorCode.ComponentUnknown, $"service {wanted.Name} has no component {only}", $"it has: {string.Join(", ", wanted.Components.Select(c => c.Name))}");
        var there = before?.Components ?? [];
        return wanted with { Components = there.Any(c => c.Name == only) ? [.. there.Select(c => c.Name == only ? component : c)] : [.. there, component] };
    }

    private void OneWriter(ServiceDefinition target)
    {
        for (var i = 1; i < target.Components.Count; i++)
        {
            var component = target.Components[i];
            if (target.Components.Take(i).FirstOrDefault(c => Clash(c, component) is not null) is { } other)
            {
                throw new McpException(
                    ErrorCode.VolumeHeld,
                    $"components {other.Name} and {component.Name} cannot run at once: {Clash(other, component)}",
                    "say :shared on both where several writers are meant, or :ro where one only reads");
            }
        }
    }

    private ComponentChange Change(ComponentDefinition wanted, CurrentComponent? there, IReadOnlyList<CurrentComponent> current, bool active, bool force)
    {
        if (there is null)
        {
            if (!active)
                return new ComponentChange(wanted.Name, ChangeKind.Create, 0, false, $"{wanted.Image}; not started: active = false");
            var taken = TakenOver(wanted, current);
            return new ComponentChange(wanted.Name, ChangeKind.Create, 0, taken is not null, taken is null ? $"{wanted.Image}" : $"{wanted.Image}; {taken}");
        }

        if (Reason(wanted, there, active, force) is not { } reason)
            return new ComponentChange(wanted.Name, ChangeKind.Keep, there.Generation, false, !active && there.Wanted ? "unchanged; it stops: active = false" : "unchanged");
        var first = StopsFirst(wanted, there) ?? TakenOver(wanted, current);
        return new ComponentChange(wanted.Name, ChangeKind.Replace, there.Generation, first is not null, first is null ? reason : $"{reason}; {first}");
    }

    /// <returns>Null: nothing to do.</returns>
    private static string? Reason(ComponentDefinition wanted, CurrentComponent there, bool active, bool force)
    {
        if (SpecHash.Of(wanted) != there.SpecHash)
        {
            var reason = there.Definition.Image == wanted.Image ? "its definition changed" : $"{there.Definition.Image} -> {wanted.Image}";
            return Volumes(there.Definition) is var old && old == Volumes(wanted) ? reason : $"{reason}; volumes {old} -> {Volumes(wanted)}, no data is copied";
        }

        if (force)
            return "asked for with --force";
        if (!active || (there.Wanted && there.Runs))
            return null;
        return there.Wanted ? "it does not run" : "it is stopped";
    }

    private static string Volumes(ComponentDefinition component) =>
        component.Volumes.Count == 0 ? "none" : string.Join(", ", component.Volumes.Select(v => $"{v.Source}:{v.Target}{(v.ReadOnly ? ":ro" : v.Shared ? ":shared" : "")}"));

    private string? StopsFirst(ComponentDefinition wanted, CurrentComponent there)
    {
        if (wanted.Update == UpdateMode.StopFirst)
            return "stops first: update = \"stop-first\"";
        if (Clash(wanted, there.Definition) is { } why)
            return $"stops first: {why}";
        // A program does not look at data that its older generation is writing.
        if (there.Definition.Volumes.Any(v => v.Exclusive && wanted.Volumes.Any(w => overlap(v.Source, w.Source))))
            return "stops first: the old instance alone writes to its volume";
        return wanted.StopFirst ? $"stops first: {(wanted.Network == "host" ? "it is on the host network" : "it holds a port or a volume alone")}" : null;
    }

    private string? TakenOver(ComponentDefinition wanted, IReadOnlyList<CurrentComponent> current)
    {
        var loser = current.FirstOrDefault(c => c.Definition.Name != wanted.Name && Clash(wanted, c.Definition) is not null);
        return loser is null ? null : $"component {loser.Definition.Name} stops first: {Clash(wanted, loser.Definition)}";
    }
}
