using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Mcp.IntegrationTests.Hosts;

namespace Mcp.IntegrationTests.Agent;

/// <summary>The node proxy hangs, loses its socket, or cannot listen.</summary>
public sealed class ProxyFaultTests(NodeFixture node) : IAsyncLifetime
{
    private SpareAgent _agent = null!;

    public async ValueTask InitializeAsync() => _agent = await SpareAgent.CreateAsync();

    public ValueTask DisposeAsync() => _agent.DisposeAsync();

    [Fact]
    public async Task One_that_hangs_or_whose_socket_is_deleted_is_replaced_within_seconds()
    {
        await _agent.StartAsync();
        NodeFixture.Succeeded(await _agent.McpAsync("deploy", Service("v1")));
        await ServesAsync("v1");
        var hung = Proxy;
        NodeFixture.Succeeded(await Command.RunAsync("kill", ["-STOP", hung]));
        var clock = Stopwatch.StartNew();
        await ServesAsync("v1");
        Assert.True(clock.Elapsed < TimeSpan.FromSeconds(20), $"it took {clock.Elapsed}");
        Assert.NotEqual(hung, Proxy);
        Assert.False(Directory.Exists($"/proc/{hung}"));
        Assert.Contains("it hung and was ended", (await _agent.McpAsync("events")).Output, StringComparison.Ordinal);
        File.Delete(Path.Combine(_agent.State, "proxy.sock"));
        await NodeFixture.UntilAsync(
            () => Task.FromResult(File.Exists(Path.Combine(_agent.State, "proxy.sock"))), "it has a control socket again");
        NodeFixture.Succeeded(await _agent.McpAsync("deploy", Service("v2")));
        await ServesAsync("v2");
        // It is left alone after that.
        var well = Proxy;
        await Task.Delay(TimeSpan.FromSeconds(6), TestContext.Current.CancellationToken);
        Assert.Equal(well, Proxy);
    }

    [Fact]
    public async Task Who_has_its_port_is_told_a_deploy_is_undone_whole_and_it_comes_when_the_port_is_free()
    {
        using (var other = new TcpListener(IPAddress.Any, _agent.ProxyPort))
        {
            other.Start();
            await _agent.StartAsync();
            var said = "";
            await NodeFixture.UntilAsync(
                async () => (said = (await _agent.McpAsync("doctor")).Output).Contains("is taken by", StringComparison.Ordinal),
                "doctor says who has the port",
                () => Task.FromResult(said));
            Assert.Contains($"127.0.0.1:{_agent.ProxyPort} (http in [proxy] of agent.toml) is taken by", said, StringComparison.Ordinal);
            Assert.Contains(
                string.Create(CultureInfo.InvariantCulture, $"(process {Environment.ProcessId})"), said, StringComparison.Ordinal);
            var (code, output, error) = await _agent.McpAsync("deploy", Service("v1"));
            Assert.Equal(1, code);
            Assert.Contains("is taken by", output + error, StringComparison.Ordinal);
            Assert.Contains("and was undone", output + error, StringComparison.Ordinal);
            Assert.DoesNotContain("spare-web", (await _agent.McpAsync("ps")).Output, StringComparison.Ordinal);
        }

        // What was in its way may take a moment to be noticed as gone.
        await NodeFixture.UntilAsync(async () => (await _agent.McpAsync("deploy", Service("v1"))).ExitCode == 0, "it is deployed");
        await ServesAsync("v1");
    }

    private string Proxy => File.ReadAllText(Path.Combine(_agent.State, "proxy.pid")).Trim();

    private Task ServesAsync(string tag) => NodeFixture.UntilAsync(
        async () => (await Command.RunAsync(
            "curl", ["-fsS", "-m", "1", "-H", "Host: spare-web.example.com", $"http://127.0.0.1:{_agent.ProxyPort}/"])).Output.Trim()
                == $"hello from {tag}",
        $"{tag} serves");

    private string Service(string tag)
    {
        var file = Path.Combine(_agent.Root, $"spare-web-{tag}.toml");
        File.WriteAllText(file, $"""
            name = "spare-web"
            [[components]]
            name = "web"
            image = "{node.Image(tag)}"
            watch = "0s"
            [[components.routes]]
            name = "http"
            port = 8080
            hostname = "spare-web.example.com"
            """);
        return file;
    }
}
