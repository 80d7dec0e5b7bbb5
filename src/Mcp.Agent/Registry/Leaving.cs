using Mcp.Model.Definition;
using Mcp.Model.Errors;
using Mcp.Model.Revisions;
using Mcp.Runtimes;

namespace Mcp.Agent.Registry;

/// <summary>How long an instance has to end, by the definition that it carries.</summary>
/// <param name="Drain">For requests under way.</param>
/// <param name="Grace">From the request to stop to the kill.</param>
internal sealed record Leaving(TimeSpan Drain, TimeSpan Grace)
{
    // Another version's: it may write to a volume.
    private static readonly Leaving s_unknown = new(ComponentDefinition.UsualDrain, TimeSpan.FromMinutes(1));

    public static Leaving Of(InstanceInfo? instance)
    {
        try
        {
            var component = RevisionCodec.Carried(instance?.Definition ?? "");
            return new Leaving(component.Drain, component.Grace);
        }
        catch (McpException)
        {
            return s_unknown;
        }
    }
}
