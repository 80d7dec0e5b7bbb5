using Mcp.Daemon.Events;
using Mcp.Daemon.Lifecycle;
using Mcp.Master.Store;
using Mcp.Model.Events;
using Mcp.Model.Names;
using Mcp.Model.Revisions;

namespace Mcp.Master.Fleet;

/// <summary>Tells, once, of each stored definition that this version cannot read, and that it is over.</summary>
public sealed class DefinitionWatch(MasterStore store, TimeProvider time)
{
    private static readonly TimeSpan s_period = TimeSpan.FromSeconds(30);
    private readonly Dictionary<Label, string> _read = [];
    private readonly Troubles _troubles = new(store.Events, over: EventKind.DefinitionWell, EventKind.DefinitionUnreadable);

    public Task RunAsync(CancellationToken ct) => Supervise.EachAsync(s_period, Look, time, ct);

    public void Look()
    {
        var placements = store.Placements.List();
        foreach (var gone in _read.Keys.Except(placements.Select(p => p.Service)).ToList())
        {
            _read.Remove(gone);
            _troubles.Forget(TroubleKey.Of(gone));
        }

        // Most have not changed since, and need not be read again.
        foreach (var placement in placements.Where(p => _read.GetValueOrDefault(p.Service) != p.Revision.Id))
        {
            _read[placement.Service] = placement.Revision.Id;
            if (placement.TryRead() is null)
                _troubles.Tell(TroubleKey.Of(placement.Service), Revision.Unreadable(placement.Service).Message);
            else
                _troubles.Over(TroubleKey.Of(placement.Service));
        }
    }
}
