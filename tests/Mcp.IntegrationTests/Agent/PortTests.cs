using Mcp.IntegrationTests.Hosts;

namespace Mcp.IntegrationTests.Agent;

/// <summary>Fixed ports by the real agent and the real podman, asked from this host and from another network through the host's
/// address.</summary>
[Collection("node")]
public sealed class PortTests(NodeFixture node) : IAsyncLifetime
{
    private const string Outside = "mcp-ports";
    private const string Here = "10.87.7.1";

    public async ValueTask InitializeAsync()
    {
        await IpAsync("netns", "add", Outside);
        await IpAsync("link", "add", "mcp-port0", "type", "veth", "peer", "name", "eth0", "netns", Outside);
        await IpAsync("addr", "add", $"{Here}/24", "dev", "mcp-port0");
        await IpAsync("link", "set", "mcp-port0", "up");
        await IpAsync("-n", Outside, "addr", "add", "10.87.7.2/24", "dev", "eth0");
        await IpAsync("-n", Outside, "link", "set", "eth0", "up");
    }

    public async ValueTask DisposeAsync()
    {
        await node.McpAsync("undeploy", "ports");
        await IpAsync("netns", "del", Outside);
        await Command.RunAsync("ip", ["link", "del", "mcp-port0"]);
    }

    [Theory]
    [InlineData("", "127.0.0.1", Here)]
    [InlineData("0.0.0.0:", "127.0.0.1", Here)]
    [InlineData($"{Here}:", Here)]
    public async Task A_fixed_port_passes_bytes_from_here_and_from_another_network(string address, params string[] here)
    {
        var port = NodeFixture.FreePort();
        NodeFixture.Succeeded(await node.McpAsync("deploy", Service($"{address}{port}:8080")));
        foreach (var there in here)
            Assert.Equal("hello from v1", await AskAsync([], there, port));
        Assert.Equal("hello from v1", await AskAsync(["nsenter", $"--net=/run/netns/{Outside}"], Here, port));
        // The route leads to the same instance, whatever address its port is on.
        Assert.Equal("hello from v1", await node.GetAsync("ports"));
    }

    // Each pair of an address, a runtime, a check, and a route or none.
    [Theory]
    [InlineData("", "container", "tcp = true, port = 8080", true)]
    [InlineData("0.0.0.0", "container", "http = \"/\", port = 8080", false)]
    [InlineData("127.0.0.1", "container", "", true)]
    [InlineData("127.0.0.2", "container", "tcp = true, port = 8080", false)]
    [InlineData("127.0.0.2", "container", "http = \"/\", port = 8080", true)]
    [InlineData(Here, "container", "", false)]
    [InlineData(Here, "container", "tcp = true, port = 8080", true)]
    [InlineData("10.88.0.1", "container", "", true)]
    [InlineData("", "microvm", "http = \"/\", port = 8080", false)]
    [InlineData("127.0.0.1", "microvm", "tcp = true, port = 8080", false)]
    [InlineData("127.0.0.2", "microvm", "", true)]
    [InlineData(Here, "microvm", "http = \"/\", port = 8080", true)]
    [InlineData("0.0.0.0", "microvm", "tcp = true, port = 8080", true)]
    public async Task Whatever_address_its_port_is_on_it_is_found_well_and_its_route_leads_to_it(
        string address, string runtime, string check, bool isRouted)
    {
        var port = NodeFixture.FreePort();
        var health = check.Length == 0 ? "" : $"health = {{ {check}, interval = \"300ms\", retries = 100 }}";
        var route = isRouted ? "[[components.routes]]\nname = \"http\"\nport = 8080\nhostname = \"ports.example.com\"" : "";
        NodeFixture.Succeeded(await node.McpAsync("deploy", node.Write("ports", $"""
            name = "ports"
            [[components]]
            name = "web"
            runtime = "{runtime}"
            image = "{node.Image("v1")}"
            ports = ["{(address.Length == 0 ? "" : $"{address}:")}{port}:8080"]
            {health}
            {route}
            """)));
        var there = address is "" or "0.0.0.0" ? Here : address;
        await NodeFixture.UntilAsync(
            async () => (await Command.RunAsync("curl", ["-fsS", "-m", "5", $"http://{there}:{port}/"])).Output.Trim() == "hello from v1",
            "its port answers");
        if (isRouted)
            Assert.Equal("hello from v1", await node.GetAsync("ports"));
    }

    [Theory]
    [InlineData("203.0.113.9:", "203.0.113.9", "is not an address of this host")]
    [InlineData("[fe80::1]:", "fe80::1", "is not an address of this host")]
    [InlineData("[::]:", "[::]", "cannot be published on [::]")]
    public async Task A_port_that_cannot_pass_bytes_is_an_error_and_not_deployed(string address, string named, string why)
    {
        var (code, output, error) = await node.McpAsync("deploy", Service($"{address}{NodeFixture.FreePort()}:8080"));
        Assert.NotEqual(0, code);
        Assert.Contains(named, output + error, StringComparison.Ordinal);
        Assert.Contains(why, output + error, StringComparison.Ordinal);
        Assert.Empty(await node.ContainersAsync("ports"));
    }

    [Fact]
    public async Task A_port_on_an_IPv6_address_where_the_network_has_none_is_an_error_that_says_so()
    {
        await IpAsync("-6", "addr", "add", "fd00:87::1/64", "dev", "mcp-port0", "nodad");
        var (code, output, error) = await node.McpAsync("deploy", Service($"[fd00:87::1]:{NodeFixture.FreePort()}:8080"));
        Assert.NotEqual(0, code);
        Assert.Contains("has no IPv6", output + error, StringComparison.Ordinal);
        Assert.Empty(await node.ContainersAsync("ports"));
    }

    private string Service(string port) => node.WriteService("ports", "v1", extra: $"ports = [\"{port}\"]");

    private static async Task<string> AskAsync(string[] inside, string address, int port)
    {
        string[] words = [.. inside, "curl", "-fsS", "-m", "5", $"http://{address}:{port}/"];
        return NodeFixture.Succeeded(await Command.RunAsync(words[0], words[1..])).Trim();
    }

    private static async Task IpAsync(params string[] arguments) => NodeFixture.Succeeded(await Command.RunAsync("ip", arguments));
}
