using System.Text.Json;
using System.Text.Json.Serialization;
using Mcp.Agent.Registry;
using Mcp.Model.Definition;
using Mcp.Model.Deploy;
using Mcp.Model.Errors;
using Mcp.Model.Instances;
using Mcp.Model.Names;
using Mcp.Model.Revisions;

namespace Mcp.Agent.Deploy;

/// <summary>State of one deploy, journaled before each step. Definitions are bodies of <see cref="RevisionCodec"/>.</summary>
/// <param name="Definition">What the service shall be.</param>
/// <param name="Previous">What it was; null: it was not there.</param>
/// <param name="Rollouts">Components that get a new generation, in the order of the file.</param>
/// <param name="Removals">Components that go.</param>
/// <param name="Before">The registry's rows before, which an undo writes back.</param>
public sealed record Deployment(
    string Definition,
    string? Previous,
    IReadOnlyList<Rollout> Rollouts,
    IReadOnlyList<Rollout> Removals,
    IReadOnlyList<ComponentRow> Before)
{
    private static readonly TimeSpan s_undo = TimeSpan.FromMinutes(5);

    // Of one that runs again: its start, and to be well.
    private static readonly TimeSpan s_again = TimeSpan.FromMinutes(2);

    /// <summary>When the new generation took over; null: it has not, or an older version wrote it, which watched nothing.</summary>
    public DateTimeOffset? Switched { get; init; }

    /// <summary>The run of the machine in which it took over.</summary>
    public string? Run { get; init; }

    /// <summary>Of an undo: components that stopped first and need not go back with the one that failed, as far as they are well. Null: all
    /// go back.</summary>
    public IReadOnlyList<string>? Stays { get; init; }

    /// <summary>What the pull has to say; null: nothing.</summary>
    public IReadOnlyList<string>? PullNotes { get; init; }

    /// <summary>How long the new generation is watched: as long as the longest of its components.</summary>
    [JsonIgnore]
    public TimeSpan Watch => Rollouts.Count == 0 ? TimeSpan.Zero : Rolling().Max(r => r.Component.Watch);

    [JsonIgnore]
    public ServiceDefinition Service => RevisionCodec.Service(Definition);

    [JsonIgnore]
    public ServiceDefinition? PreviousService => Previous is null ? null : RevisionCodec.Service(Previous);

    internal TimeSpan UndoLimit => s_undo + Service.StopsWithin + (s_again * Going().Count);

    /// <summary>A plan, as it is to be done.</summary>
    public static Deployment Of(RolloutPlan plan, IReadOnlyList<ComponentRow> before) => new(
        RevisionCodec.Write(plan.Target),
        plan.Previous is { } previous ? RevisionCodec.Write(previous) : null,
        [.. plan.Changes.Where(c => c.Rolls).Select(c => Rollout.Of(c, plan.Target))],
        [.. plan.Changes.Where(c => c.Kind == ChangeKind.Remove).Select(c => Rollout.Of(c, plan.Target))],
        before);

    public static string Write(Deployment deployment) => JsonSerializer.Serialize(deployment, DeploymentJson.Default.Deployment);

    public static Deployment Read(string json) => JsonSerializer.Deserialize(json, DeploymentJson.Default.Deployment)!;

    /// <returns>Null: what was written down is damaged.</returns>
    public static Deployment? TryRead(string json)
    {
        try
        {
            var read = JsonSerializer.Deserialize(json, DeploymentJson.Default.Deployment);
            var isWhole = read is { Definition: not null, Rollouts: not null, Removals: not null, Before: not null };
            return isWhole && read!.Rolling().Count >= 0 && read.Going().Count >= 0 ? read : null;
        }
        catch (Exception e) when (e is JsonException or McpException or InvalidOperationException)
        {
            return null;
        }
    }

    /// <summary>The components that roll, with the instance that comes and the one that goes.</summary>
    public IReadOnlyList<Rolling> Rolling()
    {
        var service = Service;
        return [.. Rollouts.Select(r => new Rolling(
            service.Components.First(c => c.Name.Text == r.Component),
            new InstanceName(service.Name, Label.Parse(r.Component), r.Generation),
            r.OldGeneration > 0 ? new InstanceName(service.Name, Label.Parse(r.Component), r.OldGeneration) : null,
            r.StopsFirst,
            r.OldWanted,
            r.Revision,
            r.Pulls,
            r.Here))];
    }

    /// <summary>For people: what becomes of each component.</summary>
    public string Summary()
    {
        string? Part(string what, IEnumerable<string> components) =>
            string.Join(", ", components) is { Length: > 0 } names ? $"{what} {names}" : null;
        var parts = new[]
        {
            Part("create", Rollouts.Where(r => r.OldGeneration == 0).Select(r => r.Component)),
            Part(
                "replace",
                Rollouts.Where(r => r.OldGeneration > 0).Select(r => r.StopsFirst ? $"{r.Component} (stops first)" : r.Component)),
            Part("remove", Removals.Select(r => r.Component)),
            Part("keep", Kept().Select(k => k.Component.Text)),
        };
        return string.Join("; ", parts.OfType<string>());
    }

    /// <summary>The instances of components that did not change.</summary>
    public IEnumerable<InstanceName> Kept() => Before
        .Where(row => Rollouts.Concat(Removals).All(r => r.Component != row.Name))
        .Select(row => new InstanceName(Service.Name, Label.Parse(row.Name), row.Generation));

    /// <summary>The registry's rows as an undo leaves them.</summary>
    /// <param name="stays">Components that do not go back.</param>
    public IReadOnlyList<ComponentRow> RowsBack(IReadOnlyCollection<Label> stays)
    {
        var rolling = Rolling().Where(r => stays.Contains(r.Component.Name)).ToDictionary(r => r.Component.Name.Text);
        return [.. Before.Select(row => rolling.GetValueOrDefault(row.Name) is { } stayed
            ? ComponentRow.Of(stayed.Component, stayed.New.Generation, DesiredState.Running) with { SpecHash = stayed.Revision }
            : row)];
    }

    /// <summary>Every instance of before that goes, with its definition as far as it can be read.</summary>
    public IReadOnlyList<Going> Going()
    {
        var service = Service.Name;
        var before = (PreviousService?.Components ?? []).ToDictionary(c => c.Name.Text);
        return [.. Rollouts.Concat(Removals).Where(r => r.OldGeneration > 0).Select(r => new Going(
            new InstanceName(service, Label.Parse(r.Component), r.OldGeneration),
            before.GetValueOrDefault(r.Component),
            r.OldWanted))];
    }
}

/// <param name="Old">Null: there was none.</param>
/// <param name="OldWanted">The old one was meant to run.</param>
/// <param name="Revision">What the new instance carries.</param>
/// <param name="Pulls">The registry is asked for its image.</param>
/// <param name="Here">See <see cref="ComponentChange.Here"/>.</param>
public sealed record Rolling(
    ComponentDefinition Component,
    InstanceName New,
    InstanceName? Old,
    bool StopsFirst,
    bool OldWanted,
    string Revision,
    bool Pulls = false,
    string Here = "");

/// <param name="Definition">Null: it is not known.</param>
/// <param name="Wanted">It was meant to run.</param>
public sealed record Going(InstanceName Instance, ComponentDefinition? Definition, bool Wanted);

/// <param name="OldGeneration">0: there was none.</param>
/// <param name="StopsFirst">The old instance ends before the new one starts.</param>
/// <param name="OldWanted">False: it was stopped, and an undo does not start it.</param>
/// <param name="Revision">Names the component's body (<see cref="RevisionId"/>); an instance that has been started carries it.</param>
/// <param name="Pulls">The registry is asked for its image, also where there is a copy.</param>
/// <param name="Here">See <see cref="ComponentChange.Here"/>.</param>
public sealed record Rollout(
    string Component,
    int OldGeneration,
    int Generation,
    bool StopsFirst = false,
    bool OldWanted = true,
    string Revision = "",
    bool Pulls = false,
    string Here = "")
{
    /// <param name="target">The service as it is to be.</param>
    public static Rollout Of(ComponentChange change, ServiceDefinition target) => new(
        change.Component.Text,
        change.Old,
        change.New,
        change.StopsFirst,
        change.OldWanted,
        target.Components.FirstOrDefault(c => c.Name == change.Component) is { } component ? RevisionId.Of(component) : "",
        change.Pulls,
        change.Here);
}

[JsonSerializable(typeof(Deployment))]
internal sealed partial class DeploymentJson : JsonSerializerContext;
