using System.Globalization;
using Mcp.Model.Deploy;
using Mcp.Protocol.V1;

namespace Mcp.Agent.Rpc;

/// <summary>A plan, for people.</summary>
internal static class PlanMapping
{
    // Nobody reads more, and an answer has an end.
    private const int MostFields = 1000;

    public static PlanReply ToWire(this RolloutPlan plan)
    {
        var left = MostFields;
        var reply = new PlanReply { Id = plan.Id };
        reply.Fields.AddRange(ToWire(plan.Fields, ref left));
        foreach (var change in plan.Changes)
        {
            var planned = new PlannedChange
            {
                Component = change.Component.Text,
                Action = change.Kind.ToString().ToLowerInvariant(),
                Detail = change.Why,
                OldGeneration = change.Old,
                NewGeneration = change.New,
                StopsFirst = change.StopsFirst,
            };
            planned.Fields.AddRange(ToWire(change.Fields, ref left));
            reply.Changes.Add(planned);
        }

        return reply;
    }

    private static List<ChangedField> ToWire(IReadOnlyList<FieldChange> fields, ref int left)
    {
        var shown = fields.Take(left).Select(f => new ChangedField { Path = f.Path, Old = f.Old, New = f.New }).ToList();
        left -= shown.Count;
        if (shown.Count < fields.Count)
            shown.Add(new ChangedField { Path = string.Create(CultureInfo.InvariantCulture, $"({fields.Count - shown.Count} more)") });
        return shown;
    }
}
