using Mcp.Agent.Deploy;
using Mcp.Daemon.Events;
using Mcp.Model.Definition;
using Mcp.Model.Errors;
using Mcp.Model.Events;
using Mcp.Runtimes;

namespace Mcp.Agent.Reconcile;

/// <summary>What each runtime said last. One that does not answer keeps its last word, with the time of it, and keeps nobody from seeing
/// what the others say.</summary>
public sealed class Sight(RuntimeSet runtimes, EventsTable events, TimeProvider time)
{
    private readonly Troubles _silence = new(events, over: EventKind.RuntimeAnswers, EventKind.RuntimeSilent);
    private volatile IReadOnlyDictionary<IRuntime, RuntimeSight> _last = new Dictionary<IRuntime, RuntimeSight>();

    public IEnumerable<RuntimeSight> All => _last.Values;

    /// <summary>The last word of all of them.</summary>
    public IReadOnlyList<InstanceInfo> Instances => [.. All.SelectMany(s => s.Instances)];

    /// <summary>Null: nobody has looked yet, or this node has no such runtime.</summary>
    public RuntimeSight? Of(RuntimeKind kind) => runtimes.Find(kind) is { } runtime ? _last.GetValueOrDefault(runtime) : null;

    /// <returns>What was seen, by runtime; another look may have come between by now.</returns>
    public async Task<IReadOnlyDictionary<IRuntime, RuntimeSight>> LookAsync(CancellationToken ct)
    {
        var seen = await Task.WhenAll(runtimes.All.Select(async r => (Runtime: r, Sight: await LookAsync(r, ct))));
        var now = seen.ToDictionary(s => s.Runtime, s => s.Sight);
        _last = now;
        foreach (var (_, sight) in seen)
        {
            if (sight.Silent is { } why)
                _silence.Tell(TroubleKey.Of(sight.Runtime), why.Message);
            else
                _silence.Over(TroubleKey.Of(sight.Runtime), "answers again");
        }

        return now;
    }

    private async Task<RuntimeSight> LookAsync(IRuntime runtime, CancellationToken ct)
    {
        try
        {
            return new RuntimeSight(runtime.Name, await runtime.ListAsync(ct), time.GetUtcNow(), Silent: null);
        }
        catch (McpException e) when (!ct.IsCancellationRequested)
        {
            return _last.GetValueOrDefault(runtime) is { } before
                ? before with { Silent = e }
                : new RuntimeSight(runtime.Name, [], At: null, e);
        }
    }
}

/// <param name="At">When it said so; null: it never answered.</param>
/// <param name="Silent">Why it does not answer now; null: it does.</param>
public sealed record RuntimeSight(string Runtime, IReadOnlyList<InstanceInfo> Instances, DateTimeOffset? At, McpException? Silent);
