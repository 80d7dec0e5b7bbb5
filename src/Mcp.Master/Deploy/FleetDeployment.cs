using System.Text.Json;
using System.Text.Json.Serialization;
using Mcp.Model.Definition;
using Mcp.Model.Errors;
using Mcp.Model.Names;
using Mcp.Model.Revisions;

namespace Mcp.Master.Deploy;

/// <summary>What a deploy across nodes, or its undoing, carries from step to step, and through a crash.</summary>
public sealed record FleetDeployment
{
    /// <summary>The service.</summary>
    public required Label Name { get; init; }

    /// <summary>What it shall be; after the agent's step as the agent keeps it. Null where it does not matter: of what is to be
    /// removed.</summary>
    [JsonPropertyName("Definition")]
    public Revision? Revision { get; init; }

    /// <summary>Only this one; null: all.</summary>
    public Label? Component { get; init; }

    /// <summary>Where the operator wants it; null: where it is, or the rule's choice.</summary>
    public Label? MoveTo { get; init; }

    /// <summary>It must not stay where it is.</summary>
    public bool Leave { get; init; }

    /// <summary>With <see cref="Leave"/>: the node that it must leave; null: written by a version that did not, and it is where the service
    /// is.</summary>
    public Label? Away { get; init; }

    /// <summary>Nothing to do at the agent where this very definition is deployed already.</summary>
    public bool IfChanged { get; init; }

    /// <summary>The agent replaces what did not change, too.</summary>
    public bool Force { get; init; }

    /// <summary>Components that take the image that their registry has now. Null: none, or written by a version that knew of
    /// none.</summary>
    public IReadOnlyList<string>? Pull { get; init; }

    /// <summary>The id of the agent's plan that was agreed to: the agent does nothing else. Null: whatever its plan is.</summary>
    public string? Plan { get; init; }

    /// <summary>It may move although data of its stays behind.</summary>
    public bool LeaveData { get; init; }

    /// <summary>Who asked for it: the name on the token. Null: written by a version that did not.</summary>
    public string? By { get; init; }

    /// <summary>The number of its release. 0: written by a version that had none.</summary>
    public long Release { get; init; }

    /// <summary>Chosen by the first step; null: not chosen yet.</summary>
    public Label? Node { get; init; }

    /// <summary>Why that one; of a move, in the end, what could not be removed yet. Null: nothing.</summary>
    public string? Why { get; init; }

    /// <summary>Where it was until now, if that is another node.</summary>
    public Label? From { get; init; }

    /// <summary>An earlier deploy may have come to something at the chosen node: its agent fell silent.</summary>
    public bool Half { get; init; }

    /// <summary>The agent had nothing to do.</summary>
    public bool Unchanged { get; init; }

    /// <exception cref="McpException">definition.unreadable</exception>
    [JsonIgnore]
    public ServiceDefinition Service => Revision is { } revision ? revision.Read(Name) : throw Revision.Unreadable(Name);

    /// <summary>Once it was chosen.</summary>
    [JsonIgnore]
    public Label At => Node ?? throw new InvalidOperationException($"no node was chosen for {Name}");

    public static FleetDeployment Of(ServiceDefinition service) => new() { Name = service.Name, Revision = Revision.Of(service) };

    /// <summary>Of what is to be taken away.</summary>
    /// <param name="revision">What it was; null: nobody need know.</param>
    /// <param name="node">Where it is; null: wherever it is.</param>
    public static FleetDeployment Removal(Label service, Revision? revision, Label? node) =>
        new() { Name = service, Revision = revision, Node = node };

    public static string Write(FleetDeployment deployment) =>
        JsonSerializer.Serialize(deployment, FleetDeploymentJson.Default.FleetDeployment);

    public static FleetDeployment Read(string json) => JsonSerializer.Deserialize(json, FleetDeploymentJson.Default.FleetDeployment)!;

    /// <returns>Null: what was written down is damaged.</returns>
    public static FleetDeployment? TryRead(Label service, string json)
    {
        try
        {
            return Read(json) is { Name: not null } read ? read with { Name = service } : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }
}

[JsonSourceGenerationOptions(
    Converters = [typeof(LabelJson), typeof(RevisionJson)],
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingDefault)]
[JsonSerializable(typeof(FleetDeployment))]
internal sealed partial class FleetDeploymentJson : JsonSerializerContext;

/// <summary>Its text.</summary>
internal sealed class LabelJson : JsonConverter<Label>
{
    public override Label Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        Label.TryParse(reader.GetString(), out var label) ? label : throw new JsonException("it is not a name");

    public override void Write(Utf8JsonWriter writer, Label value, JsonSerializerOptions options) => writer.WriteStringValue(value.Text);
}

/// <summary>Its body.</summary>
internal sealed class RevisionJson : JsonConverter<Revision>
{
    public override Revision Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        Revision.Stored(reader.GetString() ?? throw new JsonException("there is no definition"));

    public override void Write(Utf8JsonWriter writer, Revision value, JsonSerializerOptions options) => writer.WriteStringValue(value.Body);
}
