using System.Net;
using System.Net.Sockets;
using System.Text;
using Mcp.Agent.Probes;
using Mcp.Model.Definition;
using Mcp.Model.Names;
using Mcp.TestKit.Fakes;

namespace Mcp.UnitTests.Agent;

/// <summary>A program that answers its own hostname only can be checked.</summary>
public sealed class HealthHostTests
{

    [Theory]
    [InlineData("", "hostname = \"blog.example.com\"", "blog.example.com")]
    [InlineData(", host = \"other.example.com\"", "hostname = \"blog.example.com\"", "other.example.com")]
    [InlineData("", "", null)]
    public async Task The_check_asks_for_the_routes_hostname_or_the_one_that_was_named(string host, string hostname, string? expected)
    {
        var asked = await AskedAsync($"health = {{ http = \"/up\", interval = \"20ms\"{host} }}", hostname);
        Assert.StartsWith("GET /up HTTP/1.1", asked, StringComparison.Ordinal);
        Assert.Contains(expected is null ? "\r\nHost: 127.0.0.1:" : $"\r\nHost: {expected}\r\n", asked, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("tcp = true")]
    [InlineData("exec = [\"/bin/true\"]")]
    public void Only_http_and_grpc_ask_for_a_name(string check)
    {
        var text = $$"""
            name = "blog"
            [[components]]
            name = "web"
            image = "example.com/hello:v1"
            health = { {{check}}, port = 80, host = "blog.example.com" }
            """;
        var problem = Assert.Single(Assert.Throws<ServiceFileException>(() => ServiceFile.Parse(text, "test")).Problems);
        Assert.Equal("only http and grpc ask for a name", problem.Message);
    }

    // The head of the first request of the check.
    private static async Task<string> AskedAsync(string health, string hostname)
    {
        var service = ServiceFile.Parse($$"""
            name = "blog"
            [[components]]
            name = "web"
            image = "example.com/hello:v1"
            {{health}}
            [[components.routes]]
            name = "http"
            port = 8080
            {{hostname}}
            """, "test");
        var check = HealthGate.Effective(service.Components[0], info: null)!;
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        using var probe = new HealthProbe();
        using var runtime = new FakeRuntime(TimeProvider.System);
        var port = ((IPEndPoint)listener.LocalEndpoint).Port;
        var verdict = probe.ProbeAsync(check, port, InstanceName.Parse("blog.web.1"), runtime, default);
        using var client = await listener.AcceptTcpClientAsync();
        var head = new byte[4096];
        var read = await client.GetStream().ReadAsync(head);
        await client.GetStream().WriteAsync("HTTP/1.1 204 No Content\r\n\r\n"u8.ToArray());
        Assert.True((await verdict).Healthy);
        return Encoding.ASCII.GetString(head, 0, read);
    }
}
