using Mcp.Model.Names;

namespace Mcp.Model.Instances;

/// <summary>Which logs of instances that are gone stay.</summary>
public static class FormerLogs
{
    /// <summary>Generations of a component, besides those that are there.</summary>
    public const int Kept = 3;

    /// <summary>How long the logs of a component stay that its node has no more.</summary>
    public static readonly TimeSpan Longest = TimeSpan.FromHours(24);

    /// <summary>How long an empty one stays: its instance may be about to write.</summary>
    public static readonly TimeSpan Empty = TimeSpan.FromMinutes(1);

    /// <param name="logged">The instances that have a log, when it was written to for the last time, and its bytes.</param>
    /// <param name="there">Instances that a runtime has, or that the node is to have.</param>
    /// <returns>Those whose log goes.</returns>
    public static IReadOnlyList<InstanceName> Gone(
        IEnumerable<(InstanceName Name, DateTimeOffset Written, long Bytes)> logged,
        IReadOnlySet<InstanceName> there,
        DateTimeOffset now)
    {
        var components = there.Select(i => (i.Service, i.Component)).ToHashSet();
        var former = logged.Where(l => !there.Contains(l.Name)).ToList();
        return
        [
            .. former.Where(l => l.Bytes == 0 && now - l.Written > Empty).Select(l => l.Name),
            .. former
                .Where(l => l.Bytes > 0)
                .GroupBy(l => (l.Name.Service, l.Name.Component))
                .SelectMany(g => g
                    .OrderByDescending(l => l.Name.Generation)
                    .Where((l, i) => i >= Kept || (!components.Contains(g.Key) && now - l.Written > Longest))
                    .Select(l => l.Name)),
        ];
    }
}
