using Mcp.Agent;
using Mcp.Agent.Registry;
using Mcp.Daemon.Alerts;
using Mcp.Daemon.Events;
using Mcp.Master;
using Mcp.Model.Definition;
using Mcp.Model.Events;

namespace Mcp.UnitTests.Alerts;

public sealed class AlertCommandTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("mcp-alert").FullName;

    public static TheoryData<string, string> Kinds =>
    [
        .. EventKind.AlertsOf(EventSource.Agent).Select(k => ("agent.toml", k.Text)),
        .. EventKind.AlertsOf(EventSource.Master).Select(k => ("master.toml", k.Text)),
    ];

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public async Task The_command_gets_the_event_in_its_environment_and_only_the_kinds_asked_for()
    {
        var script = Path.Combine(_directory, "alert");
        var output = Path.Combine(_directory, "out put; $(x)");
        await File.WriteAllTextAsync(script, """
            #!/bin/sh
            echo "$MCP_NODE $MCP_EVENT $MCP_SERVICE/$MCP_COMPONENT $MCP_DETAIL" >> "$1"

            """);
        File.SetUnixFileMode(script, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        await RunAsync($"""command = ["{script}", "{output}"]""", async events =>
        {
            events.Add("blog", "web", EventKind.DeployDone, "");
            events.Add("blog", "web", EventKind.ComponentFlapping, "it's $(bad)");
            await UntilAsync(() => File.Exists(output) && File.ReadAllText(output).EndsWith('\n'));
        });
        Assert.Equal("rift component.flapping blog/web it's $(bad)\n", await File.ReadAllTextAsync(output));
    }

    [Theory]
    [InlineData("""command = ["/nonexistent/alert"]""", "cannot be started: No such file")]
    [InlineData("""command = ["/bin/false"]""", "exit code 1")]
    public async Task A_command_that_fails_is_an_event(string config, string why) => await RunAsync(config, async events =>
    {
        events.Add("blog", "", EventKind.DeployFailed, "");
        await UntilAsync(() => events.After(0, 10)
            .Exists(e => e.Kind == EventKind.AlertFailed && e.Detail.Contains(why, StringComparison.Ordinal)));
    });

    [Theory]
    [MemberData(nameof(Kinds))]
    public void An_alert_may_be_asked_for_of_every_kind_that_the_program_writes(string file, string kind) =>
        Assert.Equal([EventKind.Of(kind)], Read(file, $"command = [\"/bin/true\"]\non = [\"{kind}\"]").On);

    [Theory]
    [InlineData("agent.toml", "certificate.expiring")]
    [InlineData("agent.toml", "component.flapping")]
    [InlineData("master.toml", "certificate.expiring")]
    [InlineData("master.toml", "node.unreachable")]
    public void Without_an_on_the_usual_kinds_alert(string file, string kind)
    {
        var alerts = Read(file, "command = [\"/bin/true\"]");
        Assert.True(alerts.Has(EventKind.Of(kind)));
        Assert.All(EventKind.All, k => Assert.Equal(k.Alerts, alerts.Has(k)));
    }

    [Theory]
    [InlineData("agent.toml", "deploy.faild", "did you mean 'deploy.failed'? ")]
    [InlineData("master.toml", "node.unreachabel", "did you mean 'node.unreachable'? ")]
    [InlineData("agent.toml", "node.unreachable", "node.unreachable is an event of the master and alerts from there")]
    [InlineData("master.toml", "component.flapping", "component.flapping is an event of the agents and alerts from there")]
    [InlineData("agent.toml", "alert.failed", "boot.late | ")]
    [InlineData("agent.toml", "sunrise", "boot.late | ")]
    public void A_kind_that_is_none_here_is_refused_with_what_was_meant(string file, string kind, string advice)
    {
        var problem = Refused(file, $"command = [\"/bin/true\"]\non = [\"{kind}\"]");
        Assert.Equal(("wrong value of 'on'", kind), (problem.Message, problem.Value));
        Assert.StartsWith(advice, problem.Allowed, StringComparison.Ordinal);
        Assert.DoesNotContain("alert.failed |", problem.Allowed, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("agent.toml")]
    [InlineData("master.toml")]
    public void An_on_without_a_command_is_refused(string file) =>
        Assert.Equal("[alerts] needs 'command', where it has an 'on'", Refused(file, "on = [\"deploy.failed\"]").Message);

    private Problem Refused(string file, string alerts) =>
        Assert.Single(Assert.Throws<ServiceFileException>(() => Read(file, alerts)).Problems);

    private AlertOptions Read(string name, string alerts)
    {
        var file = Path.Combine(_directory, name);
        File.WriteAllText(file, $"""
            name = "rift"
            listen = "127.0.0.1:7443"
            state = "{_directory}"
            [alerts]
            {alerts}
            """);
        return name == "agent.toml" ? AgentConfig.Read(file).Alerts : MasterConfig.Read(file).Alerts;
    }

    private async Task RunAsync(string alerts, Func<EventsTable, Task> act)
    {
        using var registry = AgentRegistry.Open(Path.Combine(_directory, $"{Guid.NewGuid()}.db"), TimeProvider.System);
        using var over = new CancellationTokenSource();
        var alerting = new AlertCommand(Read("agent.toml", alerts), "rift", registry.Events).RunAsync(over.Token);
        await act(registry.Events);
        await over.CancelAsync();
        await alerting.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private static async Task UntilAsync(Func<bool> condition)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        while (!condition())
            await Task.Delay(20, limit.Token);
    }
}
