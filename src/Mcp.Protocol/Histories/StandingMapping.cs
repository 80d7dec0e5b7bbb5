using Mcp.Model.Histories;
using Mcp.Protocol.V1;

namespace Mcp.Protocol.Histories;

/// <summary>How far a database has come, on the wire.</summary>
public static class StandingMapping
{
    public static DatabaseStanding ToWire(this Standing standing)
    {
        var wire = new DatabaseStanding { Epoch = standing.Epoch.Text, Change = standing.Change };
        wire.Ancestors.AddRange(standing.Ancestors.Select(a => new DatabaseEpoch { Epoch = a.Epoch.Text, Change = a.Change }));
        return wire;
    }

    /// <summary>Null: an older program, which says nothing of it; or what was said can be none.</summary>
    public static Standing? Read(DatabaseStanding? wire)
    {
        if (wire is null || wire.Change < 0 || wire.Ancestors.Count > Standing.MostAncestors || !Epoch.TryParse(wire.Epoch, out var epoch))
            return null;
        var ancestors = new List<EndedEpoch>();
        foreach (var ended in wire.Ancestors)
        {
            if (!Epoch.TryParse(ended.Epoch, out var ancestor) || ended.Change < 0)
                return null;
            ancestors.Add(new EndedEpoch(ancestor, ended.Change));
        }

        return new Standing(epoch, wire.Change, ancestors);
    }
}
