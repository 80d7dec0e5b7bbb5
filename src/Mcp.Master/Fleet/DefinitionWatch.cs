using Mcp.Master.Store;
using Mcp.Model.Events;
using Mcp.Model.Names;

namespace Mcp.Master.Fleet;

/// <summary>Tells, once, of each stored definition that this version cannot read, and that it is over.</summary>
public sealed class DefinitionWatch(MasterStore store, TimeProvider time)
{
    private static readonly TimeSpan s_period = TimeSpan.FromSeconds(30);
    private readonly Dictionary<Label, string> _read = [];
    private readonly HashSet<Label> _unreadable = [];

    public async Task RunAsync(CancellationToken ct)
    {
        while (!ct.IsCancellationRequested)
        {
            Look();
            await Task.Delay(s_period, time, ct);
        }
    }

    public void Look()
    {
        var placements = store.Placements.List();
        foreach (var gone in _read.Keys.Except(placements.Select(p => p.Service)).ToList())
        {
            _read.Remove(gone);
            _unreadable.Remove(gone);
        }

        // Most have not changed since, and need not be read again.
        foreach (var placement in placements.Where(p => _read.GetValueOrDefault(p.Service) != p.Definition))
        {
            _read[placement.Service] = placement.Definition;
            var unreadable = placement.TryRead() is null;
            if (unreadable ? _unreadable.Add(placement.Service) : _unreadable.Remove(placement.Service))
                store.Events.Add(placement.Service.Text, "", unreadable ? EventKind.DefinitionUnreadable : EventKind.DefinitionWell, unreadable ? StoredDefinitions.Unreadable(placement.Service).Message : "");
        }
    }
}
