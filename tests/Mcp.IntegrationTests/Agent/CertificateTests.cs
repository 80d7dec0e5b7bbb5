using System.Diagnostics;
using Mcp.IntegrationTests.Hosts;

namespace Mcp.IntegrationTests.Agent;

/// <summary>The published programs over the years, by a clock that a test sets while they run.</summary>
[Collection("node")]
public sealed class CertificateTests : IAsyncLifetime
{
    private SpareAgent _spare = null!;
    private Process _agent = null!;

    private string Clock => Path.Combine(_spare.Root, "clock");

    private string Token => Path.Combine(_spare.Root, "token");

    private Dictionary<string, string> Later => new()
    {
        ["LD_PRELOAD"] = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1",
        ["FAKETIME_TIMESTAMP_FILE"] = Clock,
        ["FAKETIME_NO_CACHE"] = "1",
        ["DONT_FAKE_MONOTONIC"] = "1",
        ["MCP_HOME"] = Path.Combine(_spare.Root, "home"),
    };

    public async ValueTask InitializeAsync()
    {
        _spare = await SpareAgent.CreateAsync();
        await File.WriteAllTextAsync(Clock, "+0d");
        StartAgent();
    }

    public async ValueTask DisposeAsync()
    {
        _agent.Kill();
        _agent.Dispose();
        await _spare.DisposeAsync();
    }

    [Fact]
    public async Task An_agent_in_no_fleet_is_reached_after_years_running_or_not()
    {
        await LogInAsync();
        var first = await CertificateAsync();
        // Running on, and nobody restarts it.
        await SetAsync("+250d");
        await LogInAsync();
        var second = await CertificateAsync();
        Assert.NotEqual(first, second);
        Assert.Contains("certificate.renewed", NodeFixture.Succeeded(await McpAsync("events")), StringComparison.Ordinal);
        // Off until long after it has ended.
        _agent.Kill();
        while (!_agent.HasExited)
            await Task.Delay(5);
        _agent.Dispose();
        await SetAsync("+1100d");
        StartAgent();
        await LogInAsync();
        Assert.NotEqual(second, await CertificateAsync());
        var doctor = (await McpAsync("doctor")).Output;
        Assert.All(
            (string[])["certificate of this agent", "CA of this agent", "your token"],
            w => Assert.Contains(w, doctor, StringComparison.Ordinal));
        Assert.DoesNotContain("soon", doctor, StringComparison.Ordinal);
        // The CA cannot be renewed behind the backs of those who trust it: told half a year before.
        await SetAsync("+3500d");
        await LogInAsync();
        Assert.Contains("soon", (await McpAsync("doctor")).Output, StringComparison.Ordinal);
        await NodeFixture.UntilAsync(
            async () => (await McpAsync("events")).Output.Contains("CA of this agent: ends", StringComparison.Ordinal),
            "the end of the CA is an event");
    }

    [Fact]
    public async Task A_join_that_fails_leaves_no_agent_behind_that_cannot_start()
    {
        var (state, token) = (Path.Combine(_spare.Root, "joining"), Path.Combine(_spare.Root, "no-token"));
        await File.WriteAllTextAsync(token, "no token");
        var agent = Path.Combine(Command.Bin, "mcp-agent");
        var (code, _, error) = await Command.RunAsync(
            agent,
            ["join", "--state", state, "--master", "127.0.0.1:1", "--token-file", token, "--listen", "127.0.0.1:7443", "--name", "elm"]);
        Assert.Equal(2, code);
        Assert.Contains("holds no join token", error, StringComparison.Ordinal);
        Assert.False(File.Exists(Path.Combine(state, "agent.toml")));
        NodeFixture.Succeeded(await Command.RunAsync(agent, ["init", "--state", state, "--listen", "127.0.0.1:7443", "--name", "elm"]));
        // As a kill in the middle of a join leaves it.
        foreach (var file in (string[])["ca.crt", "ca.key", "server.pem"])
            File.Delete(Path.Combine(state, file));
        var run = await Command.RunAsync(agent, ["run", "--config", Path.Combine(state, "agent.toml")]);
        Assert.NotEqual(0, run.ExitCode);
        Assert.Contains("mcp-agent join", run.Error, StringComparison.Ordinal);
    }

    private void StartAgent()
    {
        _agent = Command.Start(Path.Combine(Command.Bin, "mcp-agent"), ["run", "--config", _spare.Config], Later);
        NodeFixture.Swallow(_agent);
    }

    private async Task SetAsync(string clock)
    {
        await File.WriteAllTextAsync(Clock + ".new", clock);
        File.Move(Clock + ".new", Clock, overwrite: true);
    }

    // With a token of that time: those of before have ended with their own lives.
    private async Task LogInAsync()
    {
        var made = await Command.RunAsync(
            Path.Combine(Command.Bin, "mcp-agent"),
            ["token", "--config", _spare.Config, "--name", "anna", "--role", "admin", "--days", "30"],
            Later);
        await File.WriteAllTextAsync(Token, NodeFixture.Succeeded(made));
        var tried = (ExitCode: 1, Output: "", Error: "");
        await NodeFixture.UntilAsync(
            async () => (tried = await McpAsync(
                "login",
                "--direct",
                _spare.Address,
                "--ca",
                Path.Combine(_spare.State, "ca.crt"),
                "--token-file",
                Token)).ExitCode == 0,
            "a login is taken",
            () => Task.FromResult($"{tried.Error}"));
    }

    private Task<(int ExitCode, string Output, string Error)> McpAsync(params string[] arguments) =>
        Command.RunAsync(Path.Combine(Command.Bin, "mcp"), arguments, Later);

    private async Task<string> CertificateAsync() =>
        NodeFixture.Succeeded(await Command.RunAsync(
            "openssl",
            ["x509", "-noout", "-serial", "-in", Path.Combine(_spare.State, "server.pem")]));
}
