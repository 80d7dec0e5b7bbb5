using Mcp.Agent.Registry;
using Mcp.Model.Definition;
using Mcp.Model.Deploy;
using Mcp.Model.Drift;
using Mcp.Model.Errors;
using Mcp.Model.Instances;
using Mcp.Model.Names;
using Mcp.Runtimes;

namespace Mcp.Agent.Deploy;

/// <summary>From what is wanted to the state that a deploy journals. The plan is made by the same code for `mcp plan` and `mcp
/// deploy`.</summary>
/// <param name="node">This one.</param>
public sealed class Rollouts(Label node, AgentRegistry registry, RuntimeSet runtimes, Planner planner, Outages outages, ImageParts images)
{
    public Outages Outages => outages;

    /// <exception cref="McpException">component.unknown, volume.held, port.in_use, volume.unsure</exception>
    public async Task<RolloutPlan> PlanAsync(ServiceDefinition service, DeployOptions options, CancellationToken ct)
    {
        var stored = registry.Components.List(service.Name);
        var desired = stored
            .Select(c => new Desired(c.Service, c.Definition.Name, c.Generation, c.SpecHash, c.Desired, c.Definition.Restart))
            .ToList();
        var observed = (await runtimes.ListAsync(ct)).Where(i => i.Name.Service == service.Name).ToList();
        // What has ended and by its restart policy stays so is as it is wanted.
        var sick = DriftRules.Compare(desired, [.. observed.Select(i => new Observed(i.Name, i.State, i.ExitCode, i.SpecHash, i.Ending))])
            .Where(d => d.Repair is Repair.Recreate or Repair.Restart or Repair.Redeploy)
            .Select(d => d.Component)
            .ToHashSet();
        var news = await images.News.OfAsync(stored, service, options.Looks, ct);
        var current = stored.Select(c => new CurrentComponent(
            c.Definition,
            c.Generation,
            c.Desired == DesiredState.Running,
            !sick.Contains(c.Definition.Name))
        {
            News = news.GetValueOrDefault(c.Definition.Name),
        });
        var next = service.Components.Select(c => c.Name).Distinct().ToDictionary(c => c, c => Next(service.Name, c, observed));
        var there = new CurrentService(node, registry.Components.Find(service.Name), [.. current], next)
        {
            Volumes = runtimes.Volumes.Of(service.Name),
        };
        RolloutPlan Plan(ServiceDefinition wanted) =>
            planner.Plan(new RolloutRequest(wanted, options.Only, options.Force) { Pull = options.Pull }, there);
        // What rolls is known without what its image says of volumes; how it rolls is not.
        var carried = ImageMounts.Carried(service, stored);
        var plan = Plan(carried);
        if (plan.Changes.Any(c => c.Rolls))
        {
            var (with, here) = await images.Mounts.OfAsync(carried, plan, ct);
            plan = Plan(with);
            plan = plan with { Changes = [.. plan.Changes.Select(c => c with { Here = here.GetValueOrDefault(c.Component, "") })] };
        }

        await CheckVolumesAsync(plan, ct);
        return plan;
    }

    /// <summary>The first state of the deploy that does this plan: its numbers are given from now on. The caller has held the service's
    /// lock since the plan was made.</summary>
    public Deployment Begin(RolloutPlan plan)
    {
        foreach (var change in plan.Changes.Where(c => c.Rolls))
            registry.Generations.Give(plan.Target.Name, change.Component, change.New);
        return Deployment.Of(plan, [.. registry.Components.List(plan.Target.Name).Select(c => c.Row)]);
    }

    // One that was never given. A registry may have been lost, or be an old copy: what runs has numbers, too.
    private int Next(Label service, Label component, IReadOnlyList<InstanceInfo> observed)
    {
        var last = observed.Where(i => i.Name.Component == component)
            .Select(i => i.Name.Generation)
            .Append(registry.Generations.Last(service, component))
            .Max();
        return last is >= 0 and < InstanceName.MostGenerations
            ? last + 1
            : throw new McpException(
                ErrorCode.NameInvalid,
                $"{service}.{component} has used up its generation numbers: the last one was {last}",
                "rename the component");
    }

    // Another service's that is meant to run holds its volumes also while it is down for a moment, as in its own update.
    private void CheckWanted(Label service, ComponentDefinition component)
    {
        var wanted = registry.Components.List().Where(c => c.Service != service && c.Desired == DesiredState.Running);
        if (wanted.FirstOrDefault(c => planner.Clash(service, component, c.Service, c.Definition) is not null) is not { } holder)
            return;
        var volume = planner.VolumeClash(service, component, holder.Service, holder.Definition);
        var what = volume ?? planner.Clash(service, component, holder.Service, holder.Definition);
        throw new McpException(
            volume is null ? ErrorCode.PortInUse : ErrorCode.VolumeHeld,
            $"{service}.{component.Name} is not started beside {holder.Instance} of service {holder.Service}: {what}",
            volume is null
                ? $"give one of them another port, or stop the other one first (mcp stop {holder.Service})"
                : $"stop it first (mcp stop {holder.Service}); where several writers of a volume are meant, say :shared on both");
    }

    // Before anything is touched. Whoever goes in this deploy will have ended.
    private async Task CheckVolumesAsync(RolloutPlan plan, CancellationToken ct)
    {
        if (!plan.Target.Active)
            return;
        var goes = plan.Changes.Where(c => c.Old > 0 && c.Kind != ChangeKind.Keep)
            .Select(c => new InstanceName(plan.Target.Name, c.Component, c.Old))
            .ToHashSet();
        foreach (var change in plan.Changes.Where(c => c.Rolls))
        {
            var component = plan.Target.Components.First(c => c.Name == change.Component);
            if (component.Volumes.FirstOrDefault(v => v.IsHostPath && !Path.Exists(v.Source)) is { } missing)
            {
                throw new McpException(
                    ErrorCode.VolumeMissing,
                    $"the volume's host path {missing.Source} does not exist",
                    $"create it on the node: mkdir -p {missing.Source}");
            }

            CheckWanted(plan.Target.Name, component);
            await runtimes.Guard.CheckAsync(
                $"{plan.Target.Name}.{component.Name}",
                runtimes.Volumes.Root.Mounts(plan.Target.Name, component),
                h => h.Instance is { } instance && goes.Contains(instance),
                ct);
        }
    }
}

/// <summary>What a plan asks of images.</summary>
public sealed record ImageParts(NewImages News, ImageMounts Mounts);
