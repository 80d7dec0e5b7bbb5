using System.Globalization;
using Mcp.IntegrationTests.Hosts;

namespace Mcp.IntegrationTests.Agent;

/// <summary>What the gate says of microvms: QEMU's network takes connections whether a guest listens or not.</summary>
[Collection("node")]
public sealed class VmGateTests(NodeFixture node)
{
    private const string Route = """

        [[components.routes]]
        name = "http"
        port = 8080
        hostname = "gate.example.com"
        """;

    private const string Serves =
        "echo booted; busybox sleep 2; echo $WORD > /www/index.html; trap 'kill %1; exit 0' TERM; "
            + "busybox httpd -f -p 8080 -h /www & wait";

    [Theory]
    [InlineData("health = { tcp = true, port = 8080, interval = \"200ms\", retries = 20 }", "")]
    [InlineData("health = { http = \"/\", port = 8080, interval = \"200ms\", retries = 20 }", "")]
    [InlineData("", Route)]
    public async Task A_microvm_that_never_listens_is_not_well(string health, string route)
    {
        try
        {
            var (exitCode, _, error) = await node.McpAsync("deploy", Written("deaf", "echo deaf; busybox sleep 1000", health + route));
            Assert.Equal(1, exitCode);
            Assert.Contains("nothing of it listens there", error, StringComparison.Ordinal);
            Assert.Contains("deaf", error, StringComparison.Ordinal);
        }
        finally
        {
            await node.McpAsync("undeploy", "gate");
        }
    }

    [Fact]
    public async Task A_microvm_is_upgraded_without_a_failed_request_though_nothing_but_its_route_is_known()
    {
        try
        {
            NodeFixture.Succeeded(await node.McpAsync("deploy", Written("v0", Serves, Route)));
            Assert.Equal("v0", await node.GetAsync("gate"));
            var (failed, answers) = (new List<string>(), 0);
            using var done = new CancellationTokenSource();
            var load = Enumerable.Range(0, 4).Select(_ => Task.Run(async () =>
            {
                while (!done.IsCancellationRequested)
                {
                    var answer = await AnswerAsync();
                    Interlocked.Increment(ref answers);
                    if (!answer.StartsWith('v'))
                    {
                        lock (failed)
                            failed.Add(answer);
                    }
                }
            })).ToArray();
            for (var i = 1; i <= 3; i++)
            {
                var word = string.Create(CultureInfo.InvariantCulture, $"v{i}");
                NodeFixture.Succeeded(await node.McpAsync("deploy", Written(word, Serves, Route)));
                Assert.Equal(word, await node.GetAsync("gate"));
            }

            await done.CancelAsync();
            await Task.WhenAll(load);
            Assert.Empty(failed);
            Assert.True(answers > 100, $"{answers} answers");
        }
        finally
        {
            await node.McpAsync("undeploy", "gate");
        }

        async Task<string> AnswerAsync()
        {
            try
            {
                return await node.GetAsync("gate");
            }
            catch (Exception e) when (e is HttpRequestException or OperationCanceledException)
            {
                return e.Message;
            }
        }
    }

    [Fact]
    public async Task An_exec_check_of_a_microvm_is_asked_inside_it_also_by_an_agent_that_was_killed()
    {
        const string Check = "health = { exec = [\"sh\", \"-c\", \"busybox test -e /ready\"], interval = \"200ms\", timeout = \"5s\", "
            + "retries = 30 }";
        await using var agent = await SpareAgent.CreateAsync();
        await agent.StartAsync();
        NodeFixture.Succeeded(await agent.McpAsync("deploy", Written("a", "busybox sleep 1; echo > /ready; busybox sleep 1000", Check)));
        await agent.KillAsync();
        await agent.StartAsync();
        // Restarted by the new agent, which asks.
        NodeFixture.Succeeded(await agent.McpAsync("deploy", Written("b", "busybox sleep 1; echo > /ready; busybox sleep 1000", Check)));
        var (exitCode, _, error) = await agent.McpAsync("deploy", Written("c", "busybox sleep 1000", Check));
        Assert.Equal(1, exitCode);
        Assert.Contains("exit code 1", error, StringComparison.Ordinal);
        NodeFixture.Succeeded(await agent.McpAsync("undeploy", "gate"));
    }

    private string Written(string word, string script, string more) => node.Write("gate", $$"""
        name = "gate"
        [[components]]
        name = "web"
        runtime = "microvm"
        image = "{{node.Image("shell")}}"
        cmd = ["-c", "{{script}}"]
        memory_mb = 64
        env = { WORD = "{{word}}" }
        {{more}}
        """);
}
