using Mcp.IntegrationTests.Hosts;

namespace Mcp.IntegrationTests.Agent;

/// <summary>Names of the zone are given by the agent, and to nobody who asks for one.</summary>
[Collection("node")]
public sealed class ZoneTests(NodeFixture node) : IAsyncLifetime
{
    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        foreach (var service in (string[])["shop", "thief"])
            await node.McpAsync("undeploy", service);
    }

    [Fact]
    public async Task A_service_that_asks_for_a_name_of_the_zone_is_refused_and_the_names_owner_keeps_it()
    {
        NodeFixture.Succeeded(await node.McpAsync("deploy", node.WriteService("shop", "v1")));
        foreach (var (hostname, mode) in ((string, string)[])[
            ("shop.mcp.internal", "l7"),
            ("shop.mcp.internal", "l4"),
            ("web.shop.mcp.internal", "l7"),
            ("thief.mcp.internal", "l7"),
            ("SHOP.mcp.internal", "l7"),
            ("shop.mcp.internal.", "l7"),
        ])
        {
            foreach (var verb in (string[])["plan", "deploy"])
            {
                var (code, output, error) = await node.McpAsync(verb, Thief(hostname, mode));
                Assert.NotEqual(0, code);
                Assert.Contains(hostname, output + error, StringComparison.Ordinal);
            }
        }

        Assert.Empty(await node.ContainersAsync("thief"));
        Assert.Equal("hello from v1", await AskAsync("shop.mcp.internal"));
    }

    [Fact]
    public async Task A_hostname_of_another_service_is_refused_before_anything_is_started()
    {
        NodeFixture.Succeeded(await node.McpAsync("deploy", node.WriteService("shop", "v1")));
        var (code, output, error) = await node.McpAsync("deploy", Thief("shop.example.com", "l7"));
        Assert.NotEqual(0, code);
        Assert.Contains("shop.example.com is a hostname of the service shop", output + error, StringComparison.Ordinal);
        Assert.DoesNotContain("pull", output, StringComparison.Ordinal);
    }

    private string Thief(string hostname, string mode) => node.Write("thief", $"""
        name = "thief"
        [[components]]
        name = "web"
        image = "{node.Image("v2")}"
        [[components.routes]]
        name = "http"
        port = 8080
        mode = "{mode}"
        hostname = "{hostname}"
        """);

    private async Task<string> AskAsync(string host)
    {
        using var http = new HttpClient { Timeout = TimeSpan.FromSeconds(5) };
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri($"http://127.0.0.1:{node.ProxyPort}/"));
        request.Headers.Host = host;
        using var response = await http.SendAsync(request);
        return (await response.Content.ReadAsStringAsync()).Trim();
    }
}
