using System.Text.Json;
using System.Text.Json.Serialization;
using Mcp.Model.Definition;
using Mcp.Model.Names;

namespace Mcp.Agent.Deploy;

/// <summary>State of one deploy, journaled before each step. Definitions are canonical service files.</summary>
/// <param name="Definition">What the service shall be.</param>
/// <param name="Previous">What it was; null: it was not there.</param>
public sealed record Deployment(string Definition, string? Previous, IReadOnlyList<Rollout> Rollouts, IReadOnlyList<Rollout> Removals)
{
    [JsonIgnore]
    public ServiceDefinition Service => ServiceFile.Parse(Definition, "journal");

    [JsonIgnore]
    public ServiceDefinition? PreviousService => Previous is null ? null : ServiceFile.Parse(Previous, "journal");

    public static string Write(Deployment deployment) => JsonSerializer.Serialize(deployment, DeploymentJson.Default.Deployment);

    public static Deployment Read(string json) => JsonSerializer.Deserialize(json, DeploymentJson.Default.Deployment)!;

    /// <summary>The components that roll, with the instance that comes and the one that goes (null: none).</summary>
    public IEnumerable<(ComponentDefinition Component, InstanceName New, InstanceName? Old)> Rolling()
    {
        var service = Service;
        foreach (var rollout in Rollouts)
        {
            var component = service.Components.First(c => c.Name.Text == rollout.Component);
            yield return (component, new InstanceName(service.Name, component.Name, rollout.Generation),
                rollout.OldGeneration > 0 ? new InstanceName(service.Name, component.Name, rollout.OldGeneration) : null);
        }
    }
}

/// <param name="OldGeneration">0: there was none.</param>
public sealed record Rollout(string Component, int OldGeneration, int Generation);

[JsonSerializable(typeof(Deployment))]
internal sealed partial class DeploymentJson : JsonSerializerContext;
