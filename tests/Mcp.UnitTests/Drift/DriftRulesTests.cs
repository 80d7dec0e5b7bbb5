using Mcp.Model.Definition;
using Mcp.Model.Drift;
using Mcp.Model.Health;
using Mcp.Model.Instances;
using Mcp.Model.Names;

namespace Mcp.UnitTests.Drift;

public class DriftRulesTests
{
    private static readonly Desired s_want = new(
        Label.Parse("blog"),
        Label.Parse("web"),
        2,
        "h",
        DesiredState.Running,
        RestartPolicy.UnlessStopped);
    private static readonly Desired s_stopped = s_want with { State = DesiredState.Stopped };

    [Fact]
    public void What_is_as_it_should_be_is_no_drift() => Assert.Empty(DriftRules.Compare([s_want], [Have(2, InstanceState.Running)]));

    [Fact]
    public void A_missing_instance_is_made_again() => Assert.Equal(Item(2, "is missing", Repair.Recreate), Single([s_want], []));

    [Fact]
    public void One_that_was_removed_behind_its_runtimes_back_is_made_again() =>
        Assert.Equal(Item(2, "is missing", Repair.Recreate), Single([s_want], [Have(2, InstanceState.Removed)]));

    [Fact]
    public void One_whose_state_cannot_be_told_is_left_alone() =>
        Assert.Empty(DriftRules.Compare([s_want], [Have(2, InstanceState.Unknown)]));

    [Theory]
    [InlineData("is missing", Repair.Recreate, "blog.web.2 was missing and was created again")]
    [InlineData("ended with exit code 1", Repair.Restart, "blog.web.2 ended with exit code 1 and was started again")]
    [InlineData("runs though it should be stopped", Repair.Stop, "blog.web.2 ran though it should be stopped, and was stopped")]
    [InlineData(
        "runs another definition than the stored one",
        Repair.Redeploy,
        "blog.web.2 ran another definition than the stored one and was replaced")]
    [InlineData("left over beside generation 3", Repair.Remove, "blog.web.2 was left over beside generation 3 and was removed")]
    [InlineData("is paused", Repair.None, "blog.web.2 is paused")]
    public void A_repair_is_told_in_a_sentence(string what, Repair repair, string told) =>
        Assert.Equal(told, DriftWords.Repaired(Item(2, what, repair)));

    [Fact]
    public void An_older_generation_is_removed() =>
        Assert.Equal(
            Item(1, "left over beside generation 2", Repair.Remove),
            Single([s_want], [Have(2, InstanceState.Running), Have(1, InstanceState.Running)]));

    [Fact]
    public void Another_definition_is_redeployed() =>
        Assert.Equal(
            Item(2, "runs another definition than the stored one", Repair.Redeploy),
            Single([s_want], [Have(2, InstanceState.Running) with { SpecHash = "other" }]));

    [Fact]
    public void What_should_be_stopped_is_stopped() =>
        Assert.Equal(Item(2, "runs though it should be stopped", Repair.Stop), Single([s_stopped], [Have(2, InstanceState.Running)]));

    [Theory]
    [InlineData(InstanceState.Exited)]
    [InlineData(InstanceState.Failed)]
    [InlineData(InstanceState.Removed)]
    [InlineData(InstanceState.Unknown)]
    public void What_should_be_stopped_and_does_not_run_is_no_drift(InstanceState state)
    {
        Assert.Empty(DriftRules.Compare([s_stopped], [Have(2, state)]));
        Assert.Empty(DriftRules.Compare([s_stopped], []));
    }

    [Fact]
    public void An_instance_that_nobody_knows_is_reported_and_left_alone() =>
        Assert.Equal(
            Item(1, "is not known to the registry; mcp adopt takes it back, mcp purge removes it", Repair.Report),
            Single([], [Have(1, InstanceState.Running)]));

    [Fact]
    public void What_is_ignored_is_left_alone() =>
        Assert.Empty(DriftRules.Compare([s_want with { State = DesiredState.Ignore }], [Have(1, InstanceState.Exited)]));

    [Theory]
    [InlineData(InstanceState.Exited)]
    [InlineData(InstanceState.Failed)]
    public void How_it_ended_is_said(InstanceState state) =>
        Assert.Equal(
            Item(2, "ended with exit code 137 (killed)", Repair.Restart),
            Single([s_want], [Have(2, state) with { ExitCode = 137, Ending = "exit code 137 (killed)" }]));

    [Theory]
    [InlineData(RestartPolicy.No, 0, true)]
    [InlineData(RestartPolicy.OnFailure, 0, true)]
    // A failure is not what it was for, though nothing starts it again.
    [InlineData(RestartPolicy.No, 1, false)]
    [InlineData(RestartPolicy.No, null, false)]
    [InlineData(RestartPolicy.OnFailure, 1, false)]
    [InlineData(RestartPolicy.OnFailure, null, false)]
    [InlineData(RestartPolicy.UnlessStopped, 0, false)]
    [InlineData(RestartPolicy.Always, 0, false)]
    public void A_program_that_ended_well_and_is_not_started_again_has_finished(RestartPolicy policy, int? exitCode, bool finished) =>
        Assert.Equal(finished, DriftRules.IsFinished(policy, exitCode));

    [Theory]
    [InlineData(RestartPolicy.No, 1, Repair.None)]
    [InlineData(RestartPolicy.OnFailure, 0, Repair.None)]
    [InlineData(RestartPolicy.OnFailure, 1, Repair.Restart)]
    [InlineData(RestartPolicy.UnlessStopped, 0, Repair.Restart)]
    [InlineData(RestartPolicy.Always, 0, Repair.Restart)]
    public void An_exit_is_mended_as_the_restart_policy_says(RestartPolicy policy, int exitCode, Repair repair) =>
        Assert.Equal(
            repair,
            Single([s_want with { Restart = policy }], [Have(2, InstanceState.Exited) with { ExitCode = exitCode }]).Repair);

    [Fact]
    public void Back_off_doubles_from_1_s_to_5_min() =>
        Assert.Equal([1, 2, 4, 8, 256, 300, 300], new[] { 0, 1, 2, 3, 8, 9, 1000 }.Select(n => (int)RestartBackoff.Pause(n).TotalSeconds));

    private static Observed Have(int generation, InstanceState state) =>
        new(new InstanceName(s_want.Service, s_want.Component, generation), state, null, "h", "");

    private static DriftItem Item(int generation, string what, Repair repair) =>
        new(s_want.Service, s_want.Component, generation, what, repair);

    private static DriftItem Single(IReadOnlyList<Desired> desired, IReadOnlyList<Observed> observed) =>
        Assert.Single(DriftRules.Compare(desired, observed));
}
