using System.Globalization;
using Mcp.Model.Definition;
using Mcp.Model.Names;

namespace Mcp.Model.Placement;

/// <summary>Chooses a node: those that can run the service, the fewest services first, ties by name. Pure.</summary>
public static class Placer
{
    // What a VM gets that asks for nothing.
    private const long VmMemoryMb = 256;

    public static PlacementDecision Place(PlacementRequest request, IReadOnlyList<Candidate> nodes)
    {
        var asked = request.MoveTo ?? request.Service.Node;
        var byName = nodes.OrderBy(n => n.Node.Text, StringComparer.Ordinal).ToList();
        var judged = byName.ConvertAll(n => (Node: n, Why: WhyNot(request, n, asked)));
        var rejected = judged.Where(j => j.Why.Length > 0).Select(j => new RejectedNode(j.Node.Node, j.Why)).ToList();
        if (asked is not null)
            return Asked(asked, request.MoveTo is null ? "its file says so" : "as asked", judged, rejected);
        if (request.Current is { } current && judged.Find(j => j.Node.Node == current) is { Node: { } home } stays)
        {
            return stays.Why.Length == 0
                ? new PlacementDecision(home.Node, "it is there already", rejected)
                : new PlacementDecision(
                    null,
                    $"it is on {current}, which cannot run it now: {stays.Why}; to move it: mcp deploy --node NODE",
                    rejected);
        }

        // The smallest of the sorted: the first by name among those with the fewest.
        var best = judged.Where(j => j.Why.Length == 0).Select(j => j.Node).MinBy(n => n.Services);
        return best is not null
            ? new PlacementDecision(
                best.Node,
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"fewest services ({best.Services}) of {judged.Count - rejected.Count} nodes that can run it"),
                rejected)
            : new PlacementDecision(
                null,
                nodes.Count == 0
                    ? "there are no nodes"
                    : $"no node can run it: {string.Join("; ", rejected.Select(r => $"{r.Node}: {r.Why}"))}",
                rejected);
    }

    private static PlacementDecision Asked(
        Label asked,
        string because,
        List<(Candidate Node, string Why)> judged,
        List<RejectedNode> rejected) =>
        judged.Find(j => j.Node.Node == asked) switch
        {
            { Node: null } =>
                new PlacementDecision(
                    null,
                    $"there is no node {asked}; there are "
                        + $"{(judged.Count == 0 ? "none" : string.Join(", ", judged.Select(j => j.Node.Node)))}",
                    rejected),
            { Why.Length: 0 } => new PlacementDecision(asked, because, rejected),
            var refused => new PlacementDecision(null, $"{asked} was asked for and cannot run it: {refused.Why}", rejected),
        };

    // Empty: it can have it. A service that is there already needs no room and no permission.
    private static string WhyNot(PlacementRequest request, Candidate node, Label? asked)
    {
        var (service, here) = (request.Service, request.Current == node.Node);
        if (!node.Reachable)
            return "unreachable";
        if (node.Cordoned && !here)
            return "cordoned";
        // Who names a node means it.
        if (!node.Tiers.Contains(service.Tier) && asked is null)
            return $"is not for the tier {Spellings.Tiers.Spell(service.Tier)}";
        var missing = service.Components.Select(c => c.Runtime)
            .Distinct()
            .Where(r => !node.Runtimes.Contains(r))
            .Select(r => Spellings.Runtimes.Spell(r))
            .ToList();
        if (missing.Count > 0)
            return $"cannot run {string.Join(", ", missing)}";
        if (request.Architectures is { } architectures && !architectures.Contains(node.Architecture))
            return $"is {node.Architecture}, and the images are for {string.Join(", ", architectures.Order(StringComparer.Ordinal))}";
        var memory = service.Components.Sum(c => c.MemoryMb ?? (c.Runtime == RuntimeKind.Container ? 0 : VmMemoryMb));
        return here || memory <= node.MemoryFreeMb
            ? ""
            : string.Create(CultureInfo.InvariantCulture, $"has {node.MemoryFreeMb} MiB of memory free, and {memory} are asked for");
    }
}
