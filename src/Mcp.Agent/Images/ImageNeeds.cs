using Mcp.Agent.Registry;
using Mcp.Daemon.Operations;
using Mcp.Model.Images;
using Mcp.Model.Names;

namespace Mcp.Agent.Images;

/// <summary>Which images the registry wants to stay: of components, of deploys that are not over, of each service's last releases, and of
/// pulls that have begun.</summary>
/// <param name="Needs">Why each stays.</param>
/// <param name="Spare">What was kept for instances that nobody needs any more.</param>
internal sealed record ImageNeeds(IReadOnlyList<ImageNeed> Needs, IReadOnlyList<InstanceName> Spare)
{
    public static ImageNeeds Of(AgentRegistry registry)
    {
        // First: a deploy that ends meanwhile has its components in the registry by then.
        var open = registry.Operations.Open().Select(o => o.Subject).ToHashSet();
        var pulls = registry.Images.Pulls();
        var components = registry.Components.List();
        var kept = registry.KeptImages.List();
        var needed = new HashSet<KeptImage>();
        var needs = new List<ImageNeed>();
        foreach (var component in components)
        {
            var who = $"{component.Service}/{component.Definition.Name}";
            var row = kept.Find(k => k.Instance == component.Instance);
            if (row is not null)
                Add(row, null, who);
            // Also where this version cannot read which image it is.
            if (row?.Reference != component.Definition.Image.Text)
                Add(null, component.Definition.Image, who);
        }

        foreach (var row in kept.Where(k => open.Contains(k.Instance.Service.Text)))
            Add(row, null, $"a deploy of {row.Instance.Service}");
        foreach (var service in components.Select(c => c.Service).Distinct())
        {
            var releases = registry.Releases.Of(service);
            var failed = releases.Where(r => r.Outcome == Outcome.Failed).Select(r => r.Number).ToHashSet();
            var rows = kept.Where(k => k.Instance.Service == service && !failed.Contains(k.Release)).ToList();
            foreach (var release in releases.Where(r => r.Outcome == Outcome.Done).Take(ImageKeeping.Releases))
            {
                if (registry.Releases.Revision(release.Revision)?.TryRead(service) is not { } definition)
                {
                    // Whatever it was made of.
                    rows.ForEach(row => Add(row, null, $"release {release.Number} of {service}"));
                    continue;
                }

                foreach (var component in definition.Components)
                {
                    // The newest that was there by then.
                    var row = rows.Find(k => k.Instance.Component == component.Name
                        && k.Reference == component.Image.Text
                        && k.Release <= release.Number);
                    Add(row, component.Image, $"release {release.Number} of {service}");
                }
            }
        }

        foreach (var pull in pulls)
        {
            needs.Add(new ImageNeed(pull.Reference, "", "a pull"));
            if (pull.Kept.Length > 0)
                needs.Add(new ImageNeed(pull.Reference, pull.Kept, "a pull"));
        }

        return new ImageNeeds(needs, [.. kept.Where(k => !needed.Contains(k)).Select(k => k.Instance)]);

        void Add(KeptImage? row, ImageReference? reference, string who)
        {
            if (row is not null)
                needed.Add(row);
            needs.Add(row is null
                ? new ImageNeed(reference!.Text, "", who)
                : new ImageNeed(row.Reference, row.Image, who, NameOf(row.Instance)));
        }
    }

    /// <summary>The name that keeps the image of an instance.</summary>
    public static string NameOf(InstanceName instance) =>
        string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{instance.Service}/{instance.Component}:{instance.Generation}");
}
