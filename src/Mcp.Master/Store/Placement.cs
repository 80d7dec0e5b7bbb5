using Mcp.Model.Definition;
using Mcp.Model.Names;
using Mcp.Model.Revisions;

namespace Mcp.Master.Store;

/// <param name="Node">Where it is; null: nowhere yet.</param>
/// <param name="Target">Where a deploy was begun that has not been accepted or refused there yet; null: none. Kept from before the first
/// side effect there.</param>
/// <param name="Revision">As an agent has accepted it last; of one that is nowhere yet, as it was asked for.</param>
public sealed record Placement(Label Service, Label? Node, Label? Target, Revision Revision)
{
    /// <summary>Where it is to be.</summary>
    public Label Home => Target ?? Node!;

    /// <summary>Where it is as far as its names say; for one that is nowhere yet, where it is going.</summary>
    public Label Seat => Node ?? Target!;

    /// <summary>It is there, or going there: nobody may remove it there.</summary>
    public bool Holds(Label node) => Node == node || Target == node;

    /// <summary>Null: this version cannot read its definition.</summary>
    public ServiceDefinition? TryRead() => Revision.TryRead(Service);
}
