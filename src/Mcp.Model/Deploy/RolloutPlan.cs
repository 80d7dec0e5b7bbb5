using Mcp.Model.Definition;
using Mcp.Model.Names;

namespace Mcp.Model.Deploy;

/// <summary>What a deploy does with a component.</summary>
public enum ChangeKind { Create, Replace, Keep, Remove }

/// <param name="Old">Its generation now; 0: it has none.</param>
/// <param name="StopsFirst">The old instance ends before the new one starts.</param>
/// <param name="Why">A sentence for people: what makes it change, or stop first.</param>
public sealed record ComponentChange(Label Component, ChangeKind Kind, int Old, bool StopsFirst, string Why)
{
    /// <summary>A new generation comes.</summary>
    public bool Rolls => Kind is ChangeKind.Create or ChangeKind.Replace;
}

/// <summary>What a deploy will do. `mcp plan` prints it, `mcp deploy` does it.</summary>
/// <param name="Target">The service as it is to be; with only one component asked for, the others as they are.</param>
public sealed record RolloutPlan(ServiceDefinition Target, IReadOnlyList<ComponentChange> Changes);

/// <summary>A component as it is on the node.</summary>
/// <param name="Wanted">It is meant to run.</param>
/// <param name="Runs">Its runtime says that it does.</param>
public sealed record CurrentComponent(ComponentDefinition Definition, string SpecHash, int Generation, bool Wanted, bool Runs);
