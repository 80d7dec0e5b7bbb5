using Mcp.Model.Deploy;
using Mcp.Protocol.V1;

namespace Mcp.Daemon.Identity;

/// <summary>How much of a plan a caller sees. What is deployed is shown to those who may deploy (ShowService), and a plan must not show it
/// to others: whoever may only look is told which keys change, not what they were. The id would let secrets be guessed.</summary>
public static class SeenPlan
{
    public static PlanReply By(Caller caller, PlanReply plan)
    {
        if (caller.Role.May(Role.Deployer))
            return plan;
        plan.Id = "";
        foreach (var field in plan.Changes.SelectMany(c => c.Fields).Concat(plan.Fields).Where(f => f.Old.Length > 0))
            field.Old = FieldChange.Hidden;
        return plan;
    }
}
