using Mcp.Agent;
using Mcp.Agent.Alerts;
using Mcp.Agent.Registry;
using Mcp.Daemon.Events;

namespace Mcp.UnitTests.Agent;

public sealed class AlertCommandTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("mcp-alert").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public async Task The_command_gets_the_event_in_its_environment_and_only_the_kinds_asked_for()
    {
        var script = Path.Combine(_directory, "alert");
        var output = Path.Combine(_directory, "out put; $(x)");
        await File.WriteAllTextAsync(script, "#!/bin/sh\necho \"$MCP_NODE $MCP_EVENT $MCP_SERVICE/$MCP_COMPONENT $MCP_DETAIL\" >> \"$1\"\n");
        File.SetUnixFileMode(script, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        await RunAsync($"""command = ["{script}", "{output}"]""", async events =>
        {
            events.Add("blog", "web", "deploy.done", "");
            events.Add("blog", "web", "component.flapping", "it's $(bad)");
            await UntilAsync(() => File.Exists(output) && File.ReadAllText(output).EndsWith('\n'));
        });
        Assert.Equal("rift component.flapping blog/web it's $(bad)\n", await File.ReadAllTextAsync(output));
    }

    [Theory]
    [InlineData("""command = ["/nonexistent/alert"]""", "No such file")]
    [InlineData("""command = ["/bin/false"]""", "exit code 1")]
    public async Task A_command_that_fails_is_an_event(string config, string why) => await RunAsync(config, async events =>
    {
        events.Add("blog", "", "deploy.failed", "");
        await UntilAsync(() => events.After(0, 10).Any(e => e.Kind == "alert.failed" && e.Detail.Contains(why, StringComparison.Ordinal)));
    });

    [Theory]
    [InlineData("""command = ["/bin/true"]""", "on = [\"deploy.faild\"]")]
    [InlineData("", "on = [\"deploy.failed\"]")]
    public async Task A_kind_that_does_not_exist_or_an_on_without_a_command_is_refused(string command, string on) =>
        await Assert.ThrowsAsync<Model.Definition.ServiceFileException>(() => RunAsync($"{command}\n{on}", _ => Task.CompletedTask));

    private async Task RunAsync(string alerts, Func<EventsTable, Task> act)
    {
        var file = Path.Combine(_directory, "agent.toml");
        await File.WriteAllTextAsync(file, $"""
            name = "rift"
            listen = "127.0.0.1:7443"
            state = "{_directory}"
            [alerts]
            {alerts}
            """);
        using var registry = AgentRegistry.Open(Path.Combine(_directory, $"{Guid.NewGuid()}.db"), TimeProvider.System);
        using var over = new CancellationTokenSource();
        var alerting = new AlertCommand(AgentConfig.Read(file), registry.Events).RunAsync(over.Token);
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
