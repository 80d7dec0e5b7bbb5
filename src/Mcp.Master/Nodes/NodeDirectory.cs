using Mcp.Daemon.Events;
using Mcp.Daemon.Lifecycle;
using Mcp.Master.Store;
using Mcp.Model.Definition;
using Mcp.Model.Errors;
using Mcp.Model.Events;
using Mcp.Model.Names;
using Mcp.Model.Placement;

namespace Mcp.Master.Nodes;

/// <summary>Which nodes there are, which of them live, and what they are to placement.</summary>
public sealed class NodeDirectory(MasterConfig config, MasterStore store, TimeProvider time)
{
    private const int Missed = 3;
    private const int HeartbeatParts = 4;
    private readonly DateTimeOffset _started = time.GetUtcNow();
    private readonly Troubles _silent = new(store.Events, over: EventKind.NodeReachable, EventKind.NodeUnreachable);
    private readonly Troubles _otherZone = new(store.Events, over: EventKind.NodeZoneWell, EventKind.NodeZone);

    /// <exception cref="McpException">node.unknown</exception>
    public StoredNode Get(Label name) =>
        store.Nodes.Find(name)
            ?? throw new McpException(
                ErrorCode.NodeUnknown,
                $"there is no node {name}",
                $"there are: {string.Join(", ", store.Nodes.List().Select(n => n.Name))}");

    public bool IsReachable(StoredNode node)
    {
        if (node.LastSeen is not { } seen)
            return false;
        // While the master was away nobody could tell it anything.
        var since = seen > _started ? seen : _started;
        return time.GetUtcNow() - since < config.Heartbeat * Missed;
    }

    /// <summary>Whether a heartbeat of it that comes now is kept. One sooner than a quarter of the interval after its last is not: writing
    /// it down costs the most.</summary>
    public bool IsNews(StoredNode node)
    {
        // Where the clock was set back in between, the last one seems to be still to come.
        var since = time.GetUtcNow() - node.LastSeen;
        return !(since >= TimeSpan.Zero && since < config.Heartbeat / HeartbeatParts);
    }

    public string State(StoredNode node) => node.Key.Length == 0 ? "expected" : IsReachable(node) ? "reachable" : "unreachable";

    public List<Candidate> Candidates()
    {
        var counts = store.Placements.Counts();
        return store.Nodes.List()
            .ConvertAll(n => new Candidate(
                n.Name,
                Tiers(n),
                IsReachable(n),
                n.Cordoned,
                n.Facts?.Architecture ?? "",
                Runtimes(n),
                (n.Facts?.MemoryFreeBytes ?? 0) / 1048576,
                counts.GetValueOrDefault(n.Name.Text)));
    }

    /// <summary>Writes an event when a node falls silent and when it is back, and when its zone is another than the master's; runs until
    /// cancelled.</summary>
    public Task WatchAsync(CancellationToken ct) => Supervise.EachAsync(config.Heartbeat, LookAtAll, time, ct);

    private void LookAtAll()
    {
        foreach (var node in store.Nodes.List().Where(n => n.Key.Length > 0))
        {
            LookWhetherSilent(node);
            LookAtZone(node);
        }
    }

    private void LookWhetherSilent(StoredNode node)
    {
        var key = TroubleKey.Of(node.Name.Text);
        if (!IsReachable(node))
            _silent.Tell(key, "");
        // Of one that the master has not heard since its start nothing is known yet.
        else if (node.LastSeen >= _started)
            _silent.Over(key);
    }

    private void LookAtZone(StoredNode node)
    {
        var key = TroubleKey.Of(node.Name.Text);
        var zone = node.Facts?.Zone ?? "";
        if (zone.Length == 0 || zone == config.Zone.Text)
        {
            _otherZone.Over(key);
            return;
        }

        var what = $"it has the zone {zone} in its agent.toml and the master {config.Zone}";
        _otherZone.Tell(key, $"{what}: services there answer to other names than DNS gives them");
    }

    private static HashSet<Tier> Tiers(StoredNode node)
    {
        var tiers = new HashSet<Tier>();
        if (node.Roles.Contains(NodeRole.Worker))
            tiers.Add(Tier.Worker);
        if (node.Roles.Contains(NodeRole.Master))
            tiers.Add(Tier.Core);
        return tiers;
    }

    private static HashSet<RuntimeKind> Runtimes(StoredNode node) =>
        [.. (node.Facts?.Runtimes ?? []).Where(r => r.Usable).Select(r => Kind(r.Name)).OfType<RuntimeKind>()];

    // As agents name their runtimes.
    private static RuntimeKind? Kind(string runtime) => runtime switch
    {
        "podman" => RuntimeKind.Container,
        "microvm" => RuntimeKind.Microvm,
        "unikernel" => RuntimeKind.Unikernel,
        _ => null,
    };
}
