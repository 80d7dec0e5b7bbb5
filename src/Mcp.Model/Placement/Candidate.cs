using Mcp.Model.Definition;
using Mcp.Model.Names;

namespace Mcp.Model.Placement;

/// <summary>A node as placement sees it.</summary>
/// <param name="Tiers">Whose services it may get.</param>
/// <param name="Cordoned">Keeps what it has and gets nothing new.</param>
/// <param name="Architecture">As images spell it: amd64, arm64.</param>
/// <param name="Services">How many are placed there now.</param>
public sealed record Candidate(
    Label Node,
    IReadOnlySet<Tier> Tiers,
    bool Reachable,
    bool Cordoned,
    string Architecture,
    IReadOnlySet<RuntimeKind> Runtimes,
    long MemoryFreeMb,
    int Services);

/// <summary>What a service asks of a node.</summary>
/// <param name="Architectures">Those that all its images are there for; null: not known, any will do.</param>
/// <param name="Current">Where it is placed now.</param>
/// <param name="MoveTo">The operator wants it here, whatever its file says.</param>
public sealed record PlacementRequest(
    ServiceDefinition Service,
    IReadOnlySet<string>? Architectures = null,
    Label? Current = null,
    Label? MoveTo = null);

/// <summary>Where a service goes, and why not elsewhere.</summary>
/// <param name="Node">Null: nowhere.</param>
/// <param name="Why">One sentence for the operator.</param>
/// <param name="Rejected">Every node that could not have been chosen, by name.</param>
public sealed record PlacementDecision(Label? Node, string Why, IReadOnlyList<RejectedNode> Rejected);

public sealed record RejectedNode(Label Node, string Why);
