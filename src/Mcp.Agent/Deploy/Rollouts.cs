using Mcp.Agent.Registry;
using Mcp.Model.Definition;
using Mcp.Model.Deploy;
using Mcp.Model.Drift;
using Mcp.Model.Errors;
using Mcp.Model.Instances;
using Mcp.Model.Names;
using Mcp.Runtimes;

namespace Mcp.Agent.Deploy;

/// <summary>From what is wanted to the state that a deploy journals. The plan is made by the same code for `mcp plan` and `mcp deploy`.</summary>
public sealed class Rollouts(AgentRegistry registry, RuntimeSet runtimes, Planner planner, Outages outages)
{
    public Outages Outages => outages;

    /// <exception cref="McpException">component.unknown, volume.held, volume.unsure</exception>
    public async Task<RolloutPlan> PlanAsync(ServiceDefinition service, DeployOptions options, CancellationToken ct)
    {
        var stored = registry.Components.List(service.Name);
        var desired = stored.Select(c => new Desired(c.Service, c.Definition.Name, c.Generation, c.SpecHash, c.Desired, c.Definition.Restart)).ToList();
        var observed = (await runtimes.ListAsync(ct)).Where(i => i.Name.Service == service.Name);
        // What has ended and by its restart policy stays so is as it is wanted.
        var sick = DriftRules.Compare(desired, [.. observed.Select(i => new Observed(i.Name, i.State, i.ExitCode, i.SpecHash, i.Ending))])
            .Where(d => d.Repair is Repair.Recreate or Repair.Restart or Repair.Redeploy)
            .Select(d => d.Component)
            .ToHashSet();
        var current = stored.Select(c => new CurrentComponent(
            c.Definition,
            c.SpecHash,
            c.Generation,
            c.Desired == DesiredState.Running,
            !sick.Contains(c.Definition.Name)));
        var plan = planner.Plan(service, registry.Components.Find(service.Name), [.. current], options.Only, options.Force);
        await CheckVolumesAsync(plan, ct);
        return plan;
    }

    /// <summary>The deploy's first state, with generations that were never given before; null: nothing would change.</summary>
    public async Task<Deployment?> PrepareAsync(ServiceDefinition service, DeployOptions options, CancellationToken ct)
    {
        var plan = await PlanAsync(service, options, ct);
        var before = registry.Components.List(service.Name);
        var stopsNone = plan.Target.Active || before.All(c => c.Desired != DesiredState.Running);
        if (stopsNone && plan.Changes.All(c => c.Kind == ChangeKind.Keep) && registry.Components.Find(service.Name) is { } there && SameHead(plan.Target, there))
            return null;
        var observed = await runtimes.ListAsync(ct);
        var wanted = before.ToDictionary(c => c.Definition.Name, c => c.Desired == DesiredState.Running);
        var rolling = plan.Changes.Where(c => c.Rolls)
            .Select(c => new Rollout(c.Component.Text, c.Old, Give(service.Name, c.Component, observed), c.StopsFirst, wanted.GetValueOrDefault(c.Component)));
        var removals = plan.Changes.Where(c => c.Kind == ChangeKind.Remove)
            .Select(c => new Rollout(c.Component.Text, c.Old, 0, false, wanted.GetValueOrDefault(c.Component)));
        // As far as this version reads it; the rows are what an undo writes back.
        var previous = registry.Components.Find(service.Name) is { } found ? ServiceFileWriter.Write(found) : null;
        return new Deployment(ServiceFileWriter.Write(plan.Target), previous, [.. rolling], [.. removals], [.. before.Select(c => c.Row)]);
    }

    // Tier, node, active, and the order of the components.
    private static bool SameHead(ServiceDefinition target, ServiceDefinition before) =>
        target.Tier == before.Tier && target.Node == before.Node && target.Active == before.Active
            && target.Components.Select(c => c.Name).SequenceEqual(before.Components.Select(c => c.Name));

    // A registry may have been lost, or be an old copy: what runs has numbers, too.
    private int Give(Label service, Label component, IReadOnlyList<InstanceInfo> observed)
    {
        var seen = observed.Where(i => i.Name.Service == service && i.Name.Component == component).Select(i => i.Name.Generation);
        var generation = seen.Append(registry.Generations.Last(service, component)).Max() + 1;
        registry.Generations.Give(service, component, generation);
        return generation;
    }

    // Another service's that is meant to run holds its volumes also while it is down for a moment, as in its own update.
    private void CheckWanted(Label service, ComponentDefinition component)
    {
        var wanted = registry.Components.List().Where(c => c.Service != service && c.Desired == DesiredState.Running);
        if (wanted.FirstOrDefault(c => planner.Clash(component, c.Definition) is not null) is not { } holder)
            return;
        throw new McpException(
            ErrorCode.VolumeHeld,
            $"{service}.{component.Name} is not started beside {holder.Instance} of service {holder.Service}: {planner.Clash(component, holder.Definition)}",
            $"stop it first (mcp stop {holder.Service}); where several writers of a volume are meant, say :shared on both");
    }

    // Before anything is touched. Whoever goes in this deploy will have ended.
    private async Task CheckVolumesAsync(RolloutPlan plan, CancellationToken ct)
    {
        if (!plan.Target.Active)
            return;
        var goes = plan.Changes.Where(c => c.Old > 0 && c.Kind != ChangeKind.Keep).Select(c => new InstanceName(plan.Target.Name, c.Component, c.Old)).ToHashSet();
        foreach (var change in plan.Changes.Where(c => c.Rolls))
        {
            var component = plan.Target.Components.First(c => c.Name == change.Component);
            if (component.Volumes.FirstOrDefault(v => !Path.Exists(v.Source)) is { } missing)
                throw new McpException(ErrorCode.VolumeMissing, $"the volume's host path {missing.Source} does not exist", $"create it on the node: mkdir -p {missing.Source}");
            CheckWanted(plan.Target.Name, component);
            await runtimes.Guard.CheckAsync($"{plan.Target.Name}.{component.Name}", component.Volumes, h => h.Instance is { } instance && goes.Contains(instance), ct);
        }
    }
}
