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

    [Fact]
    public void What_is_as_it_should_be_is_no_drift() => Assert.Empty(DriftRules.Compare([s_want], [Have(2, InstanceState.Running)]));

    [Fact]
    public void A_missing_instance_is_made_again() => Assert.Equal(Repair.Recreate, Single([s_want], []));

    [Fact]
    public void An_older_generation_is_removed() =>
        Assert.Equal(Repair.Remove, Single([s_want], [Have(2, InstanceState.Running), Have(1, InstanceState.Running)]));

    [Fact]
    public void Another_definition_is_redeployed() =>
        Assert.Equal(Repair.Redeploy, Single([s_want], [Have(2, InstanceState.Running) with { SpecHash = "other" }]));

    [Fact]
    public void What_should_be_stopped_is_stopped() =>
        Assert.Equal(Repair.Stop, Single([s_want with { State = DesiredState.Stopped }], [Have(2, InstanceState.Running)]));

    [Fact]
    public void An_instance_that_nobody_knows_is_reported_and_left_alone() =>
        Assert.Equal(Repair.Report, Single([], [Have(1, InstanceState.Running)]));

    [Fact]
    public void What_is_ignored_is_left_alone() =>
        Assert.Empty(DriftRules.Compare([s_want with { State = DesiredState.Ignore }], [Have(1, InstanceState.Exited)]));

    [Theory]
    [InlineData(RestartPolicy.No, 1, Repair.None)]
    [InlineData(RestartPolicy.OnFailure, 0, Repair.None)]
    [InlineData(RestartPolicy.OnFailure, 1, Repair.Restart)]
    [InlineData(RestartPolicy.UnlessStopped, 0, Repair.Restart)]
    [InlineData(RestartPolicy.Always, 0, Repair.Restart)]
    public void An_exit_is_mended_as_the_restart_policy_says(RestartPolicy policy, int exitCode, Repair repair) =>
        Assert.Equal(repair, Single([s_want with { Restart = policy }], [Have(2, InstanceState.Exited) with { ExitCode = exitCode }]));

    [Fact]
    public void Back_off_doubles_from_1_s_to_5_min() =>
        Assert.Equal([1, 2, 4, 8, 256, 300, 300], new[] { 0, 1, 2, 3, 8, 9, 1000 }.Select(n => (int)RestartBackoff.Pause(n).TotalSeconds));

    private static Observed Have(int generation, InstanceState state) =>
        new(new InstanceName(s_want.Service, s_want.Component, generation), state, null, "h", "");

    private static Repair Single(IReadOnlyList<Desired> desired, IReadOnlyList<Observed> observed) =>
        Assert.Single(DriftRules.Compare(desired, observed)).Repair;
}
