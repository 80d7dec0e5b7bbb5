using System.Collections.Concurrent;
using Mcp.IntegrationTests.Hosts;

namespace Mcp.IntegrationTests.Agent;

/// <summary>A program that takes a lock in its volume, so that two of it never run, behind an HTTP route.</summary>
[Collection("node")]
public sealed class StopFirstTests(NodeFixture node)
{
    private static readonly int s_upgrades = Environment.GetEnvironmentVariable("MCP_LONG") is null ? 5 : 20;

    [Fact]
    public async Task No_request_fails_while_a_program_that_locks_its_volume_is_upgraded()
    {
        var volume = Directory.CreateDirectory(Path.Combine(node.Files, "locked")).FullName;
        NodeFixture.Succeeded(await node.McpAsync("deploy", Locked(volume, 0)));
        using var over = new CancellationTokenSource();
        var answers = new ConcurrentBag<string>();
        var clients = Enumerable.Range(0, 4).Select(_ => AskAsync(answers, over.Token)).ToList();
        for (var i = 1; i <= s_upgrades; i++)
        {
            NodeFixture.Succeeded(await node.McpAsync("deploy", Locked(volume, i)));
            Assert.Equal($"version {i}", await node.GetAsync("locked"));
        }

        await over.CancelAsync();
        await Task.WhenAll(clients);
        Assert.Empty(answers.Where(a => !a.StartsWith("version ", StringComparison.Ordinal)).Distinct());
        Assert.True(answers.Count > 100, $"{answers.Count} answers");
        var (exitCode, _, error) = await node.McpAsync("deploy", Locked(volume, 99, "exit 3"));
        Assert.Equal(1, exitCode);
        Assert.Contains("it is well", error, StringComparison.Ordinal);
        Assert.Equal($"version {s_upgrades}", await node.GetAsync("locked"));
        NodeFixture.Succeeded(await node.McpAsync("undeploy", "locked"));
    }

    [Fact]
    public async Task A_container_of_somebody_else_that_writes_to_the_directory_keeps_a_service_from_starting()
    {
        var volume = Directory.CreateDirectory(Path.Combine(node.Files, "foreign")).FullName;
        // The image is in the store as soon as a service has run from it.
        NodeFixture.Succeeded(await node.McpAsync("deploy", Locked(volume, 1)));
        NodeFixture.Succeeded(await node.McpAsync("undeploy", "locked"));
        NodeFixture.Succeeded(await node.PodmanAsync(
            "run",
            "-d",
            "--name",
            "somebody",
            "-v",
            $"{volume}:/x",
            node.Image("shell"),
            "-c",
            "exec busybox sleep 600"));
        var (exitCode, _, error) = await node.McpAsync("deploy", Locked(volume, 1));
        Assert.Equal(1, exitCode);
        Assert.Contains("container somebody may be writing to", error, StringComparison.Ordinal);
        NodeFixture.Succeeded(await node.PodmanAsync("pause", "somebody"));
        Assert.Equal(1, (await node.McpAsync("deploy", Locked(volume, 1))).ExitCode);
        NodeFixture.Succeeded(await node.PodmanAsync("rm", "-f", "-t", "0", "somebody"));
        NodeFixture.Succeeded(await node.McpAsync("deploy", Locked(volume, 1)));
        NodeFixture.Succeeded(await node.McpAsync("undeploy", "locked"));
    }

    private string Locked(string volume, int version, string first = "true") => node.Write("locked", $$"""
        name = "locked"
        [[components]]
        name = "web"
        image = "{{node.Image("shell")}}"
        cmd = ["-c", "{{first}}; busybox mkdir /data/lock || exit 4; trap 'busybox rmdir /data/lock; exit 0' TERM; echo version {{version}} > /www/index.html; busybox httpd -f -p 8080 -h /www & wait"]
        volumes = ["{{volume}}:/data"]
        health = { http = "/", interval = "100ms", retries = 50 }
        [[components.routes]]
        name = "http"
        port = 8080
        hostname = "locked.example.com"
        """);

    private async Task AskAsync(ConcurrentBag<string> answers, CancellationToken over)
    {
        using var http = new HttpClient { Timeout = TimeSpan.FromSeconds(30) };
        while (!over.IsCancellationRequested)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, new Uri($"http://127.0.0.1:{node.ProxyPort}/"));
            request.Headers.Host = "locked.example.com";
            try
            {
                using var response = await http.SendAsync(request, CancellationToken.None);
                answers.Add(
                    response.IsSuccessStatusCode
                        ? (await response.Content.ReadAsStringAsync(CancellationToken.None)).Trim()
                        : $"HTTP {(int)response.StatusCode}");
            }
            catch (HttpRequestException e)
            {
                answers.Add(e.Message);
            }
        }
    }
}
