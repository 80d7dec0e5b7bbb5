using Mcp.Agent.Deploy.Steps;
using Mcp.Daemon.Operations;

namespace Mcp.Agent.Deploy;

/// <summary>Deploys that an agent before version 0.2 left in the journal: their steps were pull, ports, start, health, switch, retire, and
/// start did what the step replace does now. What had not switched is undone; what had is finished.</summary>
internal static class LegacyJournal
{
    private const string Kind = "deploy";
    private static readonly string[] s_steps = ["pull", "ports", "start", "health", "switch", "retire"];

    /// <param name="kind">Of the entries of today; they are returned as they are.</param>
    public static JournalEntry Translate(JournalEntry entry, string kind, IReadOnlyList<IStep<Deployment>> steps)
    {
        if (entry.Kind != Kind)
            return entry;
        var step = s_steps[Math.Clamp(entry.Step, 0, s_steps.Length - 1)];
        var switched = step is "switch" or "retire";
        var state = Deployment.Read(entry.State);
        var components = state.Service.Components;
        var ran = state.PreviousService is { Active: true };
        state = state with
        {
            Rollouts = [.. state.Rollouts.Select(r => r with
            {
                StopsFirst = r.OldGeneration > 0 && components.Any(c => c.Name.Text == r.Component && c.StopFirst),
                OldWanted = ran,
            })],
        };
        return entry with
        {
            Kind = kind,
            Step = Index(steps, switched ? step : ReplaceStep.StepName),
            Undoing = entry.Undoing || !switched,
            State = Deployment.Write(state),
        };
    }

    private static int Index(IReadOnlyList<IStep<Deployment>> steps, string name)
    {
        for (var i = 0; i < steps.Count; i++)
        {
            if (steps[i].Name == name)
                return i;
        }

        throw new InvalidOperationException($"there is no step {name}");
    }
}
