using System.Text.Json;
using System.Text.Json.Serialization;
using Mcp.Master.Store;
using Mcp.Model.Definition;
using Mcp.Model.Errors;
using Mcp.Model.Names;

namespace Mcp.Master.Deploy;

/// <summary>What a deploy across nodes, or its undoing, carries from step to step, and through a crash.</summary>
/// <param name="Definition">The service file; after the agent's step as the agent keeps it. Empty where it does not matter: of what is to be removed.</param>
/// <param name="Component">Only this one; empty: all.</param>
/// <param name="MoveTo">Where the operator wants it; null: where it is, or the rule's choice.</param>
/// <param name="Leave">It must not stay where it is.</param>
/// <param name="IfChanged">Nothing to do at the agent where this very definition is deployed already.</param>
/// <param name="Node">Chosen by the first step.</param>
/// <param name="From">Where it was until now, if that is another node.</param>
public sealed record FleetDeployment(string Definition, string Component, string? MoveTo, bool Leave, bool IfChanged, string Node = "", string Why = "", string? From = null)
{
    /// <summary>The service; null: written by a version that did not, and the definition names it.</summary>
    public string? Name { get; init; }

    /// <summary>With <see cref="Leave"/>: the node that it must leave; null: written by a version that did not, and it is where the service is.</summary>
    public string? Away { get; init; }

    /// <summary>The agent replaces what did not change, too.</summary>
    public bool Force { get; init; }

    /// <summary>The id of the agent's plan that was agreed to: the agent does nothing else. Empty: whatever its plan is.</summary>
    public string Plan { get; init; } = "";

    /// <summary>It may move although data of its stays behind.</summary>
    public bool LeaveData { get; init; }

    /// <summary>An earlier deploy may have come to something at the chosen node: its agent fell silent.</summary>
    public bool Half { get; init; }

    /// <exception cref="McpException">definition.unreadable</exception>
    [JsonIgnore]
    public ServiceDefinition Service => Name is { } name ? StoredDefinitions.Read(Label.Parse(name), Definition).Definition : ReadUnnamed();

    /// <exception cref="McpException">definition.unreadable</exception>
    [JsonIgnore]
    public Label Subject => Name is { } name ? Label.Parse(name) : Service.Name;

    [JsonIgnore]
    public Label At => Label.Parse(Node);

    /// <summary>Of what is to be taken away.</summary>
    public static FleetDeployment Removal(Label service, string definition, Label node) => new(definition, "", null, false, false, node.Text) { Name = service.Text };

    public static string Write(FleetDeployment deployment) => JsonSerializer.Serialize(deployment, FleetDeploymentJson.Default.FleetDeployment);

    public static FleetDeployment Read(string json) => JsonSerializer.Deserialize(json, FleetDeploymentJson.Default.FleetDeployment)!;

    /// <returns>Null: what was written down is damaged.</returns>
    public static FleetDeployment? TryRead(Label service, string json)
    {
        try
        {
            return Read(json) is { Definition: not null, Component: not null, Node: not null, Why: not null } read ? read with { Name = service.Text } : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private ServiceDefinition ReadUnnamed()
    {
        try
        {
            return ServiceFile.ReadStored(Definition, "service file").Definition;
        }
        catch (ServiceFileException e)
        {
            throw new McpException(ErrorCode.DefinitionUnreadable, "the definition that was written down cannot be read by this version", "deploy the service's file again", e);
        }
    }
}

[JsonSerializable(typeof(FleetDeployment))]
internal sealed partial class FleetDeploymentJson : JsonSerializerContext;
