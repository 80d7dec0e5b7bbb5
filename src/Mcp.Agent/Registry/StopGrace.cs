using Mcp.Model.Definition;
using Mcp.Runtimes;

namespace Mcp.Agent.Registry;

/// <summary>How long an instance has to end, by the definition that it carries.</summary>
internal static class StopGrace
{
    private static readonly TimeSpan s_longest = TimeSpan.FromMinutes(1);

    public static TimeSpan Of(InstanceInfo? instance)
    {
        try
        {
            return StoredDefinition.Read(instance?.Definition ?? "").StopGrace;
        }
        catch (ServiceFileException)
        {
            // Another version's: it may write to a volume.
            return s_longest;
        }
    }
}
