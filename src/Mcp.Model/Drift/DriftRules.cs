using Mcp.Model.Definition;
using Mcp.Model.Instances;
using Mcp.Model.Names;

namespace Mcp.Model.Drift;

/// <summary>What the registry wants of one component.</summary>
public sealed record Desired(Label Service, Label Component, int Generation, string SpecHash, DesiredState State, RestartPolicy Restart);

/// <summary>What a runtime reports of one instance.</summary>
/// <param name="Ending">How it ended, in words.</param>
public sealed record Observed(InstanceName Name, InstanceState State, int? ExitCode, string SpecHash, string Ending);

public enum Repair { None, Recreate, Restart, Stop, Redeploy, Remove, Report }

/// <summary>One difference, told in a sentence, with what repairs it.</summary>
public sealed record DriftItem(Label Service, Label Component, int Generation, string What, Repair Repair);

/// <summary>Desired and observed to differences. Pure.</summary>
public static class DriftRules
{
    public static IReadOnlyList<DriftItem> Compare(IReadOnlyList<Desired> desired, IReadOnlyList<Observed> observed)
    {
        var drift = new List<DriftItem>();
        var byName = observed.ToDictionary(o => o.Name);
        foreach (var want in desired.Where(d => d.State != DesiredState.Ignore))
        {
            var item = Compare(want, byName.GetValueOrDefault(new InstanceName(want.Service, want.Component, want.Generation)));
            if (item is not null)
                drift.Add(item);
        }

        var known = desired.ToDictionary(d => (d.Service, d.Component));
        foreach (var extra in observed)
        {
            if (!known.TryGetValue((extra.Name.Service, extra.Name.Component), out var owner))
            {
                drift.Add(new DriftItem(
                    extra.Name.Service,
                    extra.Name.Component,
                    extra.Name.Generation,
                    "is not known to the registry; mcp adopt takes it back, mcp purge removes it",
                    Repair.Report));
            }
            else if (owner.State != DesiredState.Ignore && extra.Name.Generation != owner.Generation)
            {
                drift.Add(new DriftItem(
                    extra.Name.Service,
                    extra.Name.Component,
                    extra.Name.Generation,
                    $"left over beside generation {owner.Generation}",
                    Repair.Remove));
            }
        }

        return drift;
    }

    private static DriftItem? Compare(Desired want, Observed? have)
    {
        DriftItem Item(string what, Repair repair) => new(want.Service, want.Component, want.Generation, what, repair);
        if (want.State == DesiredState.Stopped)
        {
            return have?.State is InstanceState.Running or InstanceState.Paused
                ? Item("runs though it should be stopped", Repair.Stop)
                : null;
        }

        if (have is null)
            return Item("is missing", Repair.Recreate);
        return have.State switch
        {
            InstanceState.Running when have.SpecHash == want.SpecHash => null,
            InstanceState.Running => Item("runs another definition than the stored one", Repair.Redeploy),
            InstanceState.Exited or InstanceState.Failed =>
                Item($"ended with {have.Ending}", Restarts(want.Restart, have.ExitCode) ? Repair.Restart : Repair.None),
            InstanceState.Removed => Item("is missing", Repair.Recreate),
            // Whoever did it knows why; mcp restart resumes it.
            InstanceState.Paused => Item("is paused", Repair.None),
            InstanceState.Unknown => null,
        };
    }

    /// <summary>It has done what it was for, and stays ended.</summary>
    public static bool IsFinished(RestartPolicy policy, int? exitCode) => exitCode == 0 && !Restarts(policy, exitCode);

    /// <summary>One that ended so is started again.</summary>
    public static bool Restarts(RestartPolicy policy, int? exitCode) => policy switch
    {
        RestartPolicy.No => false,
        RestartPolicy.OnFailure => exitCode is not 0,
        RestartPolicy.UnlessStopped or RestartPolicy.Always => true,
    };
}
