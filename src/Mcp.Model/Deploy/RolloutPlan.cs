using System.Security.Cryptography;
using System.Text;
using Mcp.Model.Definition;
using Mcp.Model.Errors;
using Mcp.Model.Names;

namespace Mcp.Model.Deploy;

/// <summary>What a deploy does with a component.</summary>
public enum ChangeKind { Create, Replace, Keep, Remove }

/// <summary>What becomes of one component.</summary>
public sealed record ComponentChange
{
    public required Label Component { get; init; }

    public required ChangeKind Kind { get; init; }

    /// <summary>Its generation now; 0: it has none.</summary>
    public int Old { get; init; }

    /// <summary>The generation that comes; 0: none.</summary>
    public int New { get; init; }

    /// <summary>The old instance was meant to run.</summary>
    public bool OldWanted { get; init; }

    /// <summary>The old instance ends before the new one starts.</summary>
    public bool StopsFirst { get; init; }

    /// <summary>It is kept, and is not meant to run any more.</summary>
    public bool Ends { get; init; }

    /// <summary>The registry is asked for the image of what comes, also where there is a copy.</summary>
    public bool Pulls { get; init; }

    /// <summary>The copy of its image on the node that the registry has been found to have, too, so nothing needs to be pulled. Empty: not
    /// known.</summary>
    public string Here { get; init; } = "";

    /// <summary>What its image keeps in volumes that nobody wrote, a sentence; null: nothing.</summary>
    public string? Declares { get; init; }

    /// <summary>A sentence for people: what makes it change, or stop first.</summary>
    public required string Why { get; init; }

    /// <summary>Data of before that it finds in a volume that nothing of the service had until now, in words; null: none.</summary>
    public string? Finds { get; init; }

    /// <summary>Of what comes: each key that is not as it was.</summary>
    public IReadOnlyList<FieldChange> Fields { get; init; } = [];

    /// <summary>A new generation comes.</summary>
    public bool Rolls => Kind is ChangeKind.Create or ChangeKind.Replace;
}

/// <summary>What a deploy will do. `mcp plan` prints it, `mcp deploy` does it.</summary>
public sealed record RolloutPlan
{
    private const int IdDigits = 16;

    /// <summary>Where.</summary>
    public required Label Node { get; init; }

    /// <summary>The service as it is to be; with only one component asked for, the others as they are.</summary>
    public required ServiceDefinition Target { get; init; }

    /// <summary>As it is; null: it is not there.</summary>
    public ServiceDefinition? Previous { get; init; }

    /// <summary>Keys of the service itself.</summary>
    public IReadOnlyList<FieldChange> Fields { get; init; } = [];

    public required IReadOnlyList<ComponentChange> Changes { get; init; }

    /// <summary>Nothing would change.</summary>
    public bool IsEmpty => Previous is not null && Fields.Count == 0 && Changes.All(c => c.Kind == ChangeKind.Keep && !c.Ends);

    /// <summary>16 hexadecimal digits: the same for as long as the same is asked for, on the same node, and nothing has changed
    /// there.</summary>
    public string Id => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('\n', Lines()))))[..IdDigits];

    /// <param name="agreed">The id of what somebody agreed to; null: whatever it is.</param>
    /// <exception cref="McpException">plan.changed: it is another one.</exception>
    public void Expect(string? agreed)
    {
        if (agreed is not null && agreed != Id)
            throw Changed(Target.Name);
    }

    public static McpException Changed(Label service) => new(
        ErrorCode.PlanChanged,
        $"{service} or what was asked for has changed since that plan was made; nothing was done",
        "mcp plan shows what a deploy would do now");

    // Not what is only told: sentences may be worded better one day.
    private IEnumerable<string> Lines() =>
    [
        $"node {Node}",
        "to",
        .. Leaves.Of(ServiceKeys.Service.Write(Target)).Lines(),
        "from",
        .. Leaves.Of(Previous is null ? null : ServiceKeys.Service.Write(Previous)).Lines(),
        .. Changes.Select(c => FormattableString.Invariant($"{c.Kind} {c.Component} {c.Old} {c.StopsFirst} {c.Ends} {c.Pulls}")),
    ];
}

/// <summary>What a deploy is asked for.</summary>
/// <param name="Only">Only this component; null: all.</param>
/// <param name="Force">What did not change is replaced, too.</param>
public sealed record RolloutRequest(ServiceDefinition Wanted, Label? Only = null, bool Force = false)
{
    /// <summary>Components that take the image that their registry has now.</summary>
    public IReadOnlyCollection<Label> Pull { get; init; } = [];
}

/// <summary>A service as it is on a node.</summary>
/// <param name="Definition">Null: it is not there.</param>
/// <param name="Next">The number that each component's next generation would get; 1 where none is named.</param>
public sealed record CurrentService(
    Label Node, ServiceDefinition? Definition, IReadOnlyList<CurrentComponent> Components, IReadOnlyDictionary<Label, int> Next)
{
    /// <summary>Its named volumes that are there, whoever made them.</summary>
    public IReadOnlyCollection<string> Volumes { get; init; } = [];
}

/// <summary>A component as it is on the node.</summary>
/// <param name="Wanted">It is meant to run.</param>
/// <param name="Runs">Its runtime says that it does.</param>
public sealed record CurrentComponent(ComponentDefinition Definition, int Generation, bool Wanted, bool Runs)
{
    public ImageNews News { get; init; }
}

/// <summary>What is known of the image that a registry has under the name of what runs.</summary>
public enum ImageNews { Unknown, Same, Newer, NoAnswer }
