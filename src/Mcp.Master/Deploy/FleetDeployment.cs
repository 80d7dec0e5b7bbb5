using System.Text.Json;
using System.Text.Json.Serialization;
using Mcp.Model.Definition;
using Mcp.Model.Names;

namespace Mcp.Master.Deploy;

/// <summary>What a deploy across nodes, or its undoing, carries from step to step, and through a crash.</summary>
/// <param name="Definition">The service file; after the agent's step as the agent keeps it.</param>
/// <param name="Component">Only this one; empty: all.</param>
/// <param name="MoveTo">Where the operator wants it; null: where it is, or the rule's choice.</param>
/// <param name="Leave">It must not stay where it is.</param>
/// <param name="IfChanged">Nothing to do at the agent where this very definition is deployed already.</param>
/// <param name="Node">Chosen by the first step.</param>
/// <param name="From">Where it was until now, if that is another node.</param>
public sealed record FleetDeployment(string Definition, string Component, string? MoveTo, bool Leave, bool IfChanged, string Node = "", string Why = "", string? From = null)
{
    [JsonIgnore]
    public ServiceDefinition Service => ServiceFile.Parse(Definition, "service file");

    [JsonIgnore]
    public Label At => Label.Parse(Node);

    public static string Write(FleetDeployment deployment) => JsonSerializer.Serialize(deployment, FleetDeploymentJson.Default.FleetDeployment);

    public static FleetDeployment Read(string json) => JsonSerializer.Deserialize(json, FleetDeploymentJson.Default.FleetDeployment)!;
}

[JsonSerializable(typeof(FleetDeployment))]
internal sealed partial class FleetDeploymentJson : JsonSerializerContext;
