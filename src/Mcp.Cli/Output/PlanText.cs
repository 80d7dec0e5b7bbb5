using Mcp.Protocol.V1;

namespace Mcp.Cli.Output;

/// <summary>A plan for people: what becomes of each component, and below it each key that changes.</summary>
internal static class PlanText
{
    private const int Width = 80;
    private const int LongestPath = 32;
    private const string Indent = "    ";
    private const string Create = "create";
    private const string Nothing = "(not set)";

    /// <param name="service">Its name.</param>
    public static IEnumerable<string> Lines(PlanReply plan, string service)
    {
        var (actions, names) = (plan.Changes.Select(c => c.Action).ToList(), plan.Changes.Select(c => c.Component).ToList());
        if (plan.Fields.Count > 0)
        {
            actions.Add("service");
            names.Add(service);
        }

        var (actionWidth, nameWidth) = (Longest(actions), Longest(names));
        if (plan.Fields.Count > 0)
        {
            yield return $"{"service".PadRight(actionWidth)}  {service}";
            // One new component of a service that is there makes it no new one.
            var isNew = plan.Changes.All(c => c.Action == Create) && plan.Fields.All(f => f.Old.Length == 0);
            foreach (var line in Fields(plan.Fields, isNew))
                yield return line;
        }

        foreach (var change in plan.Changes)
        {
            yield return $"{change.Action.PadRight(actionWidth)}  {change.Component.PadRight(nameWidth)}  {change.Detail}";
            foreach (var line in Fields(change.Fields, change.Action == Create))
                yield return line;
        }

        if (plan.Changes.Count == 0 && plan.Fields.Count == 0 && (plan.Why.Length == 0 || plan.Node.Length > 0))
            yield return "nothing would change";
        if (plan.Why.Length > 0)
            yield return plan.Node.Length > 0 ? $"on {plan.Node}: {plan.Why}" : $"nowhere: {plan.Why}";
        foreach (var rejected in plan.Rejected)
            yield return $"  not {rejected.Node}: {rejected.Why}";
        if (plan.Id.Length > 0)
            yield return $"plan {plan.Id}";
    }

    // Of what is new only the value. A change that is too long for a line has one for each value.
    private static IEnumerable<string> Fields(IReadOnlyList<ChangedField> fields, bool isNew)
    {
        var width = Math.Min(LongestPath, Longest(fields.Select(f => f.Path)));
        foreach (var field in fields)
        {
            var (old, come) = (field.Old.Length == 0 ? Nothing : field.Old, field.New.Length == 0 ? Nothing : field.New);
            // How many more there are stands in the path.
            var isCount = field is { Old.Length: 0, New.Length: 0 };
            var line = $"{Indent}{field.Path.PadRight(width)}  {(isCount ? "" : isNew ? come : $"{old} -> {come}")}".TrimEnd();
            if (line.Length <= Width)
            {
                yield return line;
                continue;
            }

            yield return $"{Indent}{field.Path}";
            if (!isNew)
                yield return $"{Indent}    {old}";
            if (!isCount)
                yield return $"{Indent}{(isNew ? "   " : " ->")} {come}";
        }
    }

    private static int Longest(IEnumerable<string> texts) => texts.Select(t => t.Length).DefaultIfEmpty(0).Max();
}
