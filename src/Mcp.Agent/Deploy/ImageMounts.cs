using System.Collections.Concurrent;
using Mcp.Agent.Registry;
using Mcp.Model.Definition;
using Mcp.Model.Deploy;
using Mcp.Model.Errors;
using Mcp.Model.Names;
using Mcp.Runtimes;

namespace Mcp.Agent.Deploy;

/// <summary>Which volumes components have since their images say so (<see cref="ImageVolumes"/>). It is known before anything is touched:
/// what writes to a volume of its own is not updated beside its older instance.</summary>
public sealed class ImageMounts(RuntimeSet runtimes, KeptImagesTable kept)
{
    private const int MostShown = 5;

    // What a pull has brought that its plan was not made for: the next plan is made for that.
    private readonly ConcurrentDictionary<(Label Service, Label Component), (ImageReference Image, string Told)> _pulled = new();

    /// <summary>What has the image of before keeps what it had, whatever somebody has sent.</summary>
    public static ServiceDefinition Carried(ServiceDefinition service, IReadOnlyList<StoredComponent> stored) => service with
    {
        Components = [.. service.Components.Select(c => ImageVolumes.With(
            c, stored.FirstOrDefault(s => s.Definition.Name == c.Name && s.Definition.Image == c.Image) is { } there
                ? ImageVolumes.Of(there.Definition)
                : []))],
    };

    /// <summary>Of what comes, as the images say that a plan would take.</summary>
    /// <param name="service">As it was asked for.</param>
    /// <returns>The service with those volumes; and by component the copies that registries have just been found to have, too.</returns>
    /// <exception cref="McpException">volume.held: a component would be updated beside its older instance.</exception>
    public async Task<(ServiceDefinition Service, IReadOnlyDictionary<Label, string> Here)> OfAsync(
        ServiceDefinition service,
        RolloutPlan plan,
        CancellationToken ct)
    {
        var comes = plan.Changes.Where(c => c.Rolls).ToDictionary(c => c.Component);
        var found = await Task.WhenAll(service.Components.Select(c =>
            comes.TryGetValue(c.Name, out var change) ? WithAsync(c, change, plan, ct) : Task.FromResult((Component: c, Here: ""))));
        return (service with { Components = [.. found.Select(f => f.Component)] }, found.ToDictionary(f => f.Component.Name, f => f.Here));
    }

    /// <summary>What was pulled has to be what the plan was made for.</summary>
    /// <param name="told">By the pull.</param>
    /// <returns>image.volumes: it has other VOLUMEs. Null: it is.</returns>
    public async Task<McpException?> DiffersAsync(Label service, ComponentDefinition component, string told, CancellationToken ct)
    {
        if (await runtimes.For(component).LookAsync(component.Image, new ImageWish(Kept: told), ct) is not { } look)
            return null;
        var isNow = ImageVolumes.With(component, look.Volumes);
        if (isNow.Volumes.SequenceEqual(component.Volumes))
            return null;
        _pulled[(service, component.Name)] = (component.Image, told);
        var found = ImageVolumes.Of(isNow);
        return new McpException(
            ErrorCode.ImageVolumes,
            $"the plan was made for other VOLUMEs than {component.Image} has: {Shown(found)}",
            "deploy again");
    }

    /// <summary>What the image of the older instance meant; empty: not known, or it is of another reference.</summary>
    public async Task<string> MeantAsync(InstanceName old, ImageReference image, ServiceDefinition? before, CancellationToken ct)
    {
        if (kept.Of(old, image) is { Length: > 0 } known)
            return known;
        // One that an older version has deployed knows itself what it was made of.
        var component = before?.Components.FirstOrDefault(c => c.Name == old.Component);
        return component?.Image == image && await runtimes.For(component).InspectAsync(old, ct) is { } info ? info.MadeOf : "";
    }

    private async Task<(ComponentDefinition Component, string Here)> WithAsync(
        ComponentDefinition component,
        ComponentChange change,
        RolloutPlan plan,
        CancellationToken ct)
    {
        if (runtimes.Find(component.Runtime) is not { } runtime)
            return (component, "");
        var old = new InstanceName(plan.Target.Name, component.Name, change.Old);
        var before = change is { Pulls: false, Old: > 0 } ? await MeantAsync(old, component.Image, plan.Previous, ct) : "";
        var isPulled = _pulled.TryRemove((plan.Target.Name, component.Name), out var pulled) && pulled.Image == component.Image;
        var wish = isPulled ? new ImageWish(Kept: pulled.Told) : new ImageWish(change.Pulls, before);
        // Of what only a pull shows, the pull tells.
        if (await runtime.LookAsync(component.Image, wish, ct) is not { } look)
            return (component, "");
        var with = ImageVolumes.With(component, look.Volumes);
        Check(plan.Target.Name, with, look.Volumes.Count);
        return (with, look.Here);
    }

    private static string Shown(IReadOnlyList<string> paths) => paths.Count switch
    {
        0 => "none",
        > MostShown => $"{string.Join(", ", paths.Take(MostShown))} and {paths.Count - MostShown} more",
        _ => string.Join(", ", paths),
    };

    private static void Check(Label service, ComponentDefinition component, int paths)
    {
        var found = ImageVolumes.Of(component);
        if (paths > ImageVolumes.Most)
        {
            throw new McpException(
                ErrorCode.VolumeUnsupported,
                $"the image of {service}.{component.Name} has {paths} VOLUMEs",
                $"at most {ImageVolumes.Most} are allowed");
        }

        if (component.Update == UpdateMode.Beside && found.Count > 0)
        {
            throw new McpException(
                ErrorCode.VolumeHeld,
                $"update = \"beside\" would let two instances of {service}.{component.Name} write to one volume: "
                    + $"its image has a VOLUME {found[0]}",
                $"\"none:{found[0]}\" in volumes keeps nothing there, \"NAME:{found[0]}:shared\" says that several writers are meant; "
                    + "or leave out update");
        }
    }
}
