using Mcp.Model.Names;

namespace Mcp.Model.Drift;

/// <summary>A repair in words.</summary>
public static class DriftWords
{
    /// <summary>What was repaired and how, in a sentence.</summary>
    public static string Repaired(DriftItem item)
    {
        var name = new InstanceName(item.Service, item.Component, item.Generation);
        return item.Repair switch
        {
            Repair.Recreate => $"{name} was missing and was created again",
            Repair.Restart => $"{name} {item.What} and was started again",
            Repair.Stop => $"{name} ran though it should be stopped, and was stopped",
            Repair.Redeploy => $"{name} ran another definition than the stored one and was replaced",
            Repair.Remove => $"{name} was {item.What} and was removed",
            Repair.None or Repair.Report => $"{name} {item.What}",
        };
    }
}
