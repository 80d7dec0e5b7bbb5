using System.Globalization;
using System.Net;
using Mcp.IntegrationTests.Hosts;

namespace Mcp.IntegrationTests.Agent;

/// <summary>An agent that finds a node proxy of another build or with other settings at its start.</summary>
public sealed class SuccessionTests(NodeFixture node) : IAsyncLifetime
{
    private const string Host = "spare-web.example.com";
    private readonly string _other = Directory.CreateTempSubdirectory("mcp-other").FullName;
    private SpareAgent _agent = null!;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    private int Proxy => int.Parse(File.ReadAllText(Path.Combine(_agent.State, "proxy.pid")), CultureInfo.InvariantCulture);

    public async ValueTask InitializeAsync()
    {
        await OtherBuildAsync();
        _agent = await SpareAgent.CreateAsync();
        await _agent.StartAsync();
        NodeFixture.Succeeded(await _agent.McpAsync("deploy", Service("v1")));
    }

    public async ValueTask DisposeAsync()
    {
        await _agent.DisposeAsync();
        Directory.Delete(_other, recursive: true);
    }

    [Fact]
    public async Task Another_build_takes_over_without_a_gap_and_the_same_build_leaves_it()
    {
        var first = Proxy;
        await using var load = new ConnectLoad(_agent.ProxyPort, Host, connectors: 4, keepers: 2);
        await RestartAsync(Command.Bin);
        await load.UntilAsync(200);
        Assert.Equal(first, Proxy);
        await RestartAsync(_other);
        await NodeFixture.UntilAsync(() => Task.FromResult(Proxy != first), "another proxy leads");
        var second = Proxy;
        await NodeFixture.UntilAsync(() => Task.FromResult(!Directory.Exists($"/proc/{first}")), "the first has ended");
        await load.UntilAsync(load.Connects + 200);
        NodeFixture.Succeeded(await _agent.McpAsync("deploy", Service("v2")));
        // Changed settings are handed over, too.
        await _agent.KillAsync();
        var toml = await File.ReadAllTextAsync(_agent.Config, Ct);
        var changed = toml.Replace("[proxy]", $"[proxy]\nh2c = \"127.0.0.1:{NodeFixture.FreePort()}\"", StringComparison.Ordinal);
        await File.WriteAllTextAsync(_agent.Config, changed, Ct);
        await _agent.StartAsync();
        await NodeFixture.UntilAsync(() => Task.FromResult(Proxy != second), "a third proxy leads");
        await load.UntilAsync(load.Connects + 200);
        await load.EndAsync();
        Assert.Empty(load.Failures);
        var events = (await _agent.McpAsync("events")).Output;
        Assert.Contains("mcp-agent is another build", events, StringComparison.Ordinal);
        Assert.Contains("agent.toml has changed", events, StringComparison.Ordinal);
        Assert.DoesNotContain("proxy.restarted", events, StringComparison.Ordinal);
        Assert.DoesNotContain("proxy.outdated", events, StringComparison.Ordinal);
        Assert.Contains("answers", (await _agent.McpAsync("doctor")).Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_agent_killed_at_any_moment_of_it_ends_with_one_proxy_and_no_connection_refused()
    {
        await using var load = new ConnectLoad(_agent.ProxyPort, Host, connectors: 4, keepers: 2);
        for (var i = 0; i < 16; i++)
        {
            await _agent.KillAsync();
            _agent.Bin = i % 2 == 0 ? _other : Command.Bin;
            await _agent.StartAndKillAsync(TimeSpan.FromMilliseconds(50 + (i * 50)));
            await _agent.StartAsync();
        }

        await RestartAsync(_agent.Bin);
        await NodeFixture.UntilAsync(async () => (await ProxiesAsync()).Length == 1, "one proxy is left");
        await load.UntilAsync(load.Connects + 100);
        await load.EndAsync();
        Assert.Empty(load.Failures);
        NodeFixture.Succeeded(await _agent.McpAsync("deploy", Service("v2")));
        Assert.Equal("hello from v2", await load.FetchAsync());
    }

    [Fact]
    public async Task One_that_cannot_start_leaves_the_old_one_is_told_and_comes_when_it_can()
    {
        var first = Proxy;
        await using var load = new ConnectLoad(_agent.ProxyPort, Host, connectors: 4, keepers: 2);
        await _agent.KillAsync();
        var toml = await File.ReadAllTextAsync(_agent.Config, Ct);
        using (var taken = new System.Net.Sockets.TcpListener(IPAddress.Loopback, NodeFixture.FreePort()))
        {
            taken.Start();
            await File.WriteAllTextAsync(
                _agent.Config, toml.Replace("[proxy]", $"[proxy]\nh2c = \"{taken.LocalEndpoint}\"", StringComparison.Ordinal), Ct);
            await _agent.StartAsync();
            await NodeFixture.UntilAsync(
                async () => (await _agent.McpAsync("events")).Output.Contains("proxy.outdated", StringComparison.Ordinal), "it is told");
            var events = (await _agent.McpAsync("events")).Output;
            Assert.Contains($"{taken.LocalEndpoint} (h2c in [proxy] of agent.toml) is taken by", events, StringComparison.Ordinal);
            Assert.DoesNotContain($"127.0.0.1:{_agent.ProxyPort} (http in", events, StringComparison.Ordinal);
            Assert.Equal(first, Proxy);
            NodeFixture.Succeeded(await _agent.McpAsync("deploy", Service("v2")));
            Assert.Equal("hello from v2", await load.FetchAsync());
        }

        await NodeFixture.UntilAsync(() => Task.FromResult(Proxy != first), "it has been tried again");
        await load.UntilAsync(load.Connects + 100);
        await load.EndAsync();
        Assert.Empty(load.Failures);
        // Another try may have begun just before the address was free, and then nothing has it any more.
        Assert.Single((await _agent.McpAsync("events")).Output.Split('\n'), l => l.Contains("is taken by", StringComparison.Ordinal));
    }

    [Fact]
    public async Task What_the_old_proxy_still_carries_is_waited_for_before_its_instance_is_stopped()
    {
        var root = Directory.CreateDirectory(Path.Combine(_agent.Root, "slow", "www", "cgi-bin")).FullName;
        var program = Path.Combine(root, "wait");
        await File.WriteAllTextAsync(program, "#!/bin/sh\nbusybox sleep 15\nprintf 'Content-Type: text/plain\\r\\n\\r\\nwaited'\n", Ct);
        File.SetUnixFileMode(program, (UnixFileMode)0b111_101_101);
        NodeFixture.Succeeded(await Command.RunAsync(
            Path.Combine(Command.Repository, "scripts", "sample-image"),
            [node.Image("slow"), "slow"],
            new Dictionary<string, string> { ["SAMPLE_ROOT"] = Path.Combine(_agent.Root, "slow") }));
        NodeFixture.Succeeded(await _agent.McpAsync("deploy", Service("slow", "drain = \"2m\"")));
        await using var ask = new ConnectLoad(_agent.ProxyPort, Host, connectors: 0, keepers: 0);
        using var http = new HttpClient();
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri($"http://127.0.0.1:{_agent.ProxyPort}/cgi-bin/wait"));
        request.Headers.Host = Host;
        var answer = http.SendAsync(request, Ct);
        var first = Proxy;
        await NodeFixture.UntilAsync(
            async () => (await Command.RunAsync("pgrep", ["-f", "^busybox sleep 15"])).ExitCode == 0, "the request is under way");
        await RestartAsync(_other);
        await NodeFixture.UntilAsync(() => Task.FromResult(Proxy != first), "another proxy leads");
        var deploy = _agent.McpAsync("deploy", Service("v2", "drain = \"2m\""));
        await NodeFixture.UntilAsync(async () => await ask.FetchAsync() == "hello from v2", "the new generation serves");
        Assert.False(answer.IsCompleted);
        Assert.Equal("waited", await (await answer).Content.ReadAsStringAsync(Ct));
        NodeFixture.Succeeded(await deploy);
    }

    private async Task RestartAsync(string bin)
    {
        await _agent.KillAsync();
        _agent.Bin = bin;
        await _agent.StartAsync();
    }

    private async Task<string[]> ProxiesAsync() =>
        (await Command.RunAsync("pgrep", ["-f", $"mcp-agent proxy --config {_agent.Config}"])).Output
            .Split('\n', StringSplitOptions.RemoveEmptyEntries);

    // The same programs, one byte longer: another build.
    private async Task OtherBuildAsync()
    {
        foreach (var program in (string[])["mcp-agent", "mcp"])
        {
            var file = new FileInfo(Path.Combine(Command.Bin, program));
            var real = file.ResolveLinkTarget(returnFinalTarget: true)?.FullName ?? file.FullName;
            var directory = Path.GetDirectoryName(real)!;
            // Without Native AOT it has libraries in C#, too.
            var files = File.Exists($"{real}.dll") ? Directory.GetFiles(directory) : [real, .. Directory.GetFiles(directory, "*.so")];
            foreach (var beside in files)
                File.Copy(beside, Path.Combine(_other, Path.GetFileName(beside)), overwrite: true);
        }

        await File.AppendAllTextAsync(Path.Combine(_other, "mcp-agent"), " ", Ct);
    }

    private string Service(string tag, string extra = "")
    {
        var file = Path.Combine(_agent.Root, $"spare-web-{tag}.toml");
        File.WriteAllText(file, $"""
            name = "spare-web"
            [[components]]
            name = "web"
            image = "{node.Image(tag)}"
            watch = "0s"
            {extra}
            [[components.routes]]
            name = "http"
            port = 8080
            hostname = "{Host}"
            """);
        return file;
    }
}
