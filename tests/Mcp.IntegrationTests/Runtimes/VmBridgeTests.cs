using System.Text.RegularExpressions;
using Mcp.IntegrationTests.Hosts;
using Mcp.Model.Definition;

namespace Mcp.IntegrationTests.Runtimes;

/// <summary>network = "bridge": reached from this host by their ports, and from nowhere and to nowhere else.</summary>
public sealed partial class VmBridgeTests(NodeFixture node, VmHost host) : VmTest(node, host)
{
    private const string Bridged = "network = \"bridge\"";
    private const string Outside = "mcp-outside";
    private const string Serve = "busybox mkdir -p /www; echo bridged > /www/index.html; busybox httpd -p 8080 -h /www;";

    public override async ValueTask InitializeAsync()
    {
        // Another network, which this host would forward to.
        await Ip("netns", "add", Outside);
        await Ip("link", "add", "mcp-out0", "type", "veth", "peer", "name", "eth0", "netns", Outside);
        await Ip("addr", "add", "10.87.8.1/24", "dev", "mcp-out0");
        await Ip("link", "set", "mcp-out0", "up");
        await Ip("-n", Outside, "addr", "add", "10.87.8.2/24", "dev", "eth0");
        await Ip("-n", Outside, "link", "set", "eth0", "up");
        await Ip("-n", Outside, "route", "add", "default", "via", "10.87.8.1");
    }

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        await Ip("netns", "del", Outside);
        await Command.RunAsync("ip", ["link", "del", "mcp-out0"]);
        Assert.Empty(await TapsAsync());
    }

    [Theory]
    [InlineData("microvm")]
    [InlineData("unikernel")]
    public async Task A_guest_on_the_bridge_serves_by_its_port_and_leaves_no_TAP(string runtime)
    {
        var vms = runtime == "microvm" ? Host.Microvms : Host.Unikernels;
        var port = NodeFixture.FreePort();
        await RunAsync(vms, $"{Serve} sleep 1000", Bridged, new FixedPort("127.0.0.1", port, 8080));
        Assert.Equal("bridged", (await GetAsync(port)).Trim());
        Assert.Single(await TapsAsync());
        await vms.StopAsync(Name, TimeSpan.FromSeconds(1), default);
        Assert.Empty(await TapsAsync());
        // As after a boot of the host.
        await Ip("link", "del", "mcp-test0");
        await vms.StartAsync(Name, default);
        Assert.Equal("bridged", (await GetAsync(port)).Trim());
        NodeFixture.Succeeded(await Command.RunAsync("kill", ["-9", await QemuAsync()]));
        await EndedAsync(vms);
        Assert.Empty(await TapsAsync());
    }

    [Fact]
    public async Task There_is_no_way_off_the_bridge_even_for_a_guest_that_makes_itself_a_route()
    {
        NodeFixture.Succeeded(await Command.RunAsync("sysctl", ["-q", "-w", "net.ipv4.ip_forward=1"]));
        await RunAsync(
            Host.Microvms,
            "ip route add default via 10.87.9.1; i=0; while :; do i=$((i+1)); busybox ping -c 1 -W 1 10.87.8.2 > /dev/null 2>&1 && echo "
                + "through $i || echo blocked $i; sleep 0.2; done",
            Bridged);
        await SaysAsync(Host.Microvms, "blocked 5");
        Assert.DoesNotContain("through", await SaidAsync(Host.Microvms), StringComparison.Ordinal);
        // Only our rule stands between: without it the same packets get through.
        await Ip("rule", "del", "iif", "mcp-test0");
        await SaysAsync(Host.Microvms, "through");
    }

    [Fact]
    public async Task Guests_that_start_at_once_get_addresses_of_their_own_and_do_not_see_each_other()
    {
        var ports = Enumerable.Range(0, 4).Select(_ => NodeFixture.FreePort()).ToList();
        var names = ports.Select((_, i) => Name with { Generation = i + 1 }).ToList();
        try
        {
            await Task.WhenAll(names.Zip(
                ports,
                (name, port) => RunAsync(
                    Host.Microvms,
                    $"{Serve} ip addr show dev eth0; for n in 2 3 4 5; do busybox ping -c 1 -W 1 10.87.9.$n > /dev/null && echo sees "
                        + "10.87.9.$n; done; echo looked; sleep 1000",
                    Bridged,
                    new FixedPort("127.0.0.1", port, 8080),
                    name)));
            foreach (var port in ports)
                Assert.Equal("bridged", (await GetAsync(port)).Trim());
            var addresses = new List<string>();
            foreach (var name in names)
            {
                await SaysAsync(name, Host.Microvms, "looked");
                var said = await SaidAsync(name, Host.Microvms);
                addresses.Add(AddressPattern().Match(said).Groups[1].Value);
                // Itself, as it always does.
                Assert.Equal([addresses[^1]], SeenPattern().Matches(said).Select(m => m.Groups[1].Value));
            }

            Assert.Equal(names.Count, addresses.Distinct().Count());
        }
        finally
        {
            foreach (var name in names)
                await Host.Microvms.RemoveAsync(name, default);
        }
    }

    [GeneratedRegex(@"inet (10\.87\.9\.[0-9]+)/24")]
    private static partial Regex AddressPattern();

    [GeneratedRegex(@"sees (10\.87\.9\.[0-9]+)")]
    private static partial Regex SeenPattern();

    private static async Task Ip(params string[] arguments) => NodeFixture.Succeeded(await Command.RunAsync("ip", arguments));

    private static async Task<string[]> TapsAsync() =>
        (await Command.RunAsync("ip", ["-brief", "link", "show", "master", "mcp-test0"])).Output.Split(
            '\n',
            StringSplitOptions.RemoveEmptyEntries);
}
