using Mcp.Agent.Registry;
using Mcp.Model.Definition;
using Mcp.Model.Instances;

namespace Mcp.UnitTests.Agent;

internal static class Rows
{
    /// <summary>The service as a deploy leaves it, each component at its generation.</summary>
    public static void StoreAt(this ComponentsTable components, ServiceDefinition service, Dictionary<string, int> generations) =>
        components.Store(service, [.. service.Components.Select(c => ComponentRow.Of(c, generations[c.Name.Text], DesiredState.Running))]);
}
