using Mcp.Model.Definition;

namespace Mcp.Model.Placement;

/// <summary>What a node is for.</summary>
public enum NodeRole
{
    /// <summary>Services of the tier worker may go to it.</summary>
    Worker,

    /// <summary>Services of the tier core may go to it.</summary>
    Master,

    /// <summary>It lets the public in.</summary>
    Edge,
}

/// <summary>Roles as they are written on the wire, in tables and in files.</summary>
public static class NodeRoles
{
    public static readonly IReadOnlyDictionary<string, NodeRole> Spellings = new Dictionary<string, NodeRole>
    {
        ["worker"] = NodeRole.Worker,
        ["master"] = NodeRole.Master,
        ["edge"] = NodeRole.Edge,
    };

    /// <summary>Without what this version knows no role of.</summary>
    public static IReadOnlyList<NodeRole> Parse(IEnumerable<string> texts) =>
        [.. texts.Where(Spellings.ContainsKey).Select(text => Spellings[text])];

    public static IEnumerable<string> Spell(IEnumerable<NodeRole> roles) => roles.Select(Spellings.Spell);
}
