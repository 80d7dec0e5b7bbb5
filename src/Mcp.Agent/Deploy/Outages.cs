using System.Collections.Concurrent;
using System.Globalization;
using Mcp.Agent.Probes;
using Mcp.Model.Names;

namespace Mcp.Agent.Deploy;

/// <summary>What deploys under way did to the instances that served before: told truly when one fails.</summary>
public sealed class Outages(TimeProvider time)
{
    private readonly ConcurrentDictionary<InstanceName, Outage> _outages = new();

    public void Stopped(InstanceName old) => _outages.TryAdd(old, new Outage(time.GetUtcNow(), null, null));

    /// <summary>It was stopped, and nothing is known of a start since.</summary>
    public bool IsStopped(InstanceName old) => _outages.TryGetValue(old, out var outage) && outage.Started is null;

    /// <param name="verdict">How it was then; ended: it does not run.</param>
    public void StartedAgain(InstanceName old, HealthVerdict verdict) =>
        _outages[old] = (_outages.GetValueOrDefault(old) ?? new Outage(null, null, null)) with
        {
            Started = time.GetUtcNow(),
            Verdict = verdict,
        };

    /// <summary>It is not started again: what took its place is well, and stays.</summary>
    public void Stays(InstanceName old, InstanceName by) =>
        _outages[old] = (_outages.GetValueOrDefault(old) ?? new Outage(null, null, null)) with { By = by };

    public void Forget(IEnumerable<InstanceName> olds)
    {
        foreach (var old in olds)
            _outages.TryRemove(old, out _);
    }

    /// <summary>One sentence for each instance.</summary>
    public string Tell(IEnumerable<InstanceName> olds)
    {
        var sentences = olds.Select(Tell).ToList();
        return sentences.Count == 0 ? "nothing ran before" : string.Join("; ", sentences);
    }

    private string Tell(InstanceName old)
    {
        if (!_outages.TryGetValue(old, out var outage))
            return $"{old} was not touched";
        var stopped = outage.Stopped is { } at ? $"{old} was stopped at {Clock(at)}" : $"{old} had been stopped";
        if (outage.By is { } by)
            return $"{stopped}; {by}, which took its place, is well and stays";
        if (outage.Started is not { } again || outage.Verdict is not { } verdict)
            return $"{stopped} and does not run";
        var health = verdict.Healthy ? "it is well" : $"it is NOT well: {verdict.Kind}: {verdict.Brief}";
        return $"{stopped} and started again at {Clock(again)}; {health}";
    }

    private static string Clock(DateTimeOffset at) => at.ToString("HH:mm:ss'Z'", CultureInfo.InvariantCulture);

    private sealed record Outage(DateTimeOffset? Stopped, DateTimeOffset? Started, HealthVerdict? Verdict)
    {
        public InstanceName? By { get; init; }
    }
}
