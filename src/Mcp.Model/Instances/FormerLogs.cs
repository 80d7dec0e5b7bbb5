using Mcp.Model.Names;

namespace Mcp.Model.Instances;

/// <summary>Which logs of instances that are gone stay.</summary>
public static class FormerLogs
{
    /// <summary>Generations of a component, besides those that are there.</summary>
    public const int Kept = 3;

    /// <summary>How long the logs of a component stay that its node has no more.</summary>
    public static readonly TimeSpan Longest = TimeSpan.FromHours(24);

    /// <param name="logged">The instances that have a log, and when it was written to for the last time.</param>
    /// <param name="there">Instances that a runtime has, or that the node is to have.</param>
    /// <returns>Those whose log goes.</returns>
    public static IReadOnlyList<InstanceName> Gone(
        IEnumerable<(InstanceName Name, DateTimeOffset Written)> logged,
        IReadOnlySet<InstanceName> there,
        DateTimeOffset now)
    {
        var components = there.Select(i => (i.Service, i.Component)).ToHashSet();
        return
        [
            .. logged
                .Where(l => !there.Contains(l.Name))
                .GroupBy(l => (l.Name.Service, l.Name.Component))
                .SelectMany(g => g
                    .OrderByDescending(l => l.Name.Generation)
                    .Where((l, i) => i >= Kept || (!components.Contains(g.Key) && now - l.Written > Longest))
                    .Select(l => l.Name)),
        ];
    }
}
