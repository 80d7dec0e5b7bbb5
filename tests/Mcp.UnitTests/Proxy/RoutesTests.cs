using System.Net;
using Mcp.Agent;
using Mcp.Agent.Ports;
using Mcp.Agent.Proxy;
using Mcp.Agent.Registry;
using Mcp.Model.Definition;
using Mcp.Model.Errors;
using Mcp.Model.Names;
using Mcp.Model.Routes;
using Mcp.UnitTests.Agent;

namespace Mcp.UnitTests.Proxy;

/// <summary>What the agent tells its proxy, of what is in the registry, whoever stored it.</summary>
public sealed class RoutesTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("mcp-routes").FullName;
    private readonly AgentConfig _config;
    private readonly AgentRegistry _registry;
    private readonly PortAllocator _ports;
    private readonly RoutePush _push;

    public RoutesTests()
    {
        var file = Path.Combine(_directory, "agent.toml");
        File.WriteAllText(file, $"""
            name = "rift"
            listen = "127.0.0.1:7443"
            state = "{_directory}"
            [edge]
            https = "127.0.0.1:8443"
            certificates = "internal"
            """);
        _config = AgentConfig.Read(file);
        _registry = AgentRegistry.Open(_config.Registry, TimeProvider.System);
        _ports = new PortAllocator(_registry.Ports, 20000, 20999);
        _push = new RoutePush(_config, _registry, _ports);
    }

    public void Dispose()
    {
        _push.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    [Theory]
    [InlineData("thief", "shop.mcp.internal", "l7")]
    [InlineData("a-thief", "shop.mcp.internal", "l7")]
    [InlineData("thief", "web.shop.mcp.internal", "l7")]
    [InlineData("thief", "shop.mcp.internal", "l4")]
    public void A_stored_hostname_in_the_zone_never_wins_against_the_zones_own_names(string thief, string hostname, string mode)
    {
        Store("shop", "shop.example.com", "l7");
        Store(thief, hostname, mode);
        var shop = Port("shop");
        var led = _push.Routes().Routes.Where(r => ZoneNames.Has("shop.mcp.internal", r.Host)).ToList();
        Assert.Equal(["shop.mcp.internal", "web.shop.mcp.internal"], led.Select(r => r.Host).Order(StringComparer.Ordinal));
        Assert.All(led, r => Assert.Equal((shop, false), (r.Port, r.PassThrough)));
    }

    [Fact]
    public void A_stored_hostname_in_the_zone_of_a_service_that_is_not_here_leads_nowhere()
    {
        Store("thief", "shop.mcp.internal", "l7");
        Assert.DoesNotContain(_push.Routes().Routes, r => r.Host == "shop.mcp.internal");
        Assert.Contains(_push.Routes().Routes, r => r.Host == "thief.mcp.internal");
    }

    [Fact]
    public void A_service_has_names_on_this_machine_that_no_hostname_takes()
    {
        Store("thief", "shop.localhost", "l7");
        Store("shop", "shop.example.com", "l7");
        var led = _push.Routes().Routes.Where(r => r.Port == Port("shop")).Select(r => r.Host).Order(StringComparer.Ordinal);
        Assert.Equal(["shop.example.com", "shop.localhost", "shop.mcp.internal", "web.shop.localhost", "web.shop.mcp.internal"], led);
    }

    [Fact]
    public void A_stored_edge_route_in_the_zone_is_not_let_in()
    {
        foreach (var text in (string[])["shop.mcp.internal", "shop.example.com"])
        {
            var hostname = Host(text);
            _registry.EdgeRoutes.Set(new EdgeRoute(
                hostname,
                Label.Parse("shop"),
                Host("shop.mcp.internal"),
                8444,
                "",
                [IPAddress.Loopback]));
            var certificate = new Mcp.Agent.Edge.Certificates.CertificateStore(
                _config.EdgeCertificates,
                TimeProvider.System).FileOf(hostname);
            Directory.CreateDirectory(Path.GetDirectoryName(certificate)!);
            File.WriteAllText(certificate, "");
        }

        Assert.Equal(["shop.example.com"], _push.Routes().Public!.Select(r => r.Host));
    }

    [Fact]
    public void A_hostname_in_the_zone_or_of_another_service_is_refused_and_ones_own_is_not()
    {
        Store("shop", "shop.example.com", "l7");
        var hostnames = new Hostnames(_config, _registry.Components);
        Assert.Equal(
            ErrorCode.RouteZone,
            Assert.Throws<McpException>(() => hostnames.Check(Service("thief", "shop.mcp.internal", "l7"))).Code);
        var taken = Assert.Throws<McpException>(() => hostnames.Check(Service("thief", "shop.example.com", "l4")));
        Assert.Equal(ErrorCode.RouteTaken, taken.Code);
        Assert.Contains("service shop", taken.Message, StringComparison.Ordinal);
        hostnames.Check(Service("shop", "shop.example.com", "l7"));
    }

    [Fact]
    public void A_public_route_is_refused_where_nobody_would_let_the_public_in()
    {
        var service = Service("shop", "shop.example.com", "l7");
        Hostnames.CheckAlone(service);
        var web = service.Components[0];
        var open = service with { Components = [web with { Routes = [web.Routes[0] with { Public = true }] }] };
        var refused = Assert.Throws<McpException>(() => Hostnames.CheckAlone(open));
        Assert.Equal(ErrorCode.RoutePublic, refused.Code);
        Assert.Contains("the route web/http is public", refused.Message, StringComparison.Ordinal);
    }

    private int Port(string service) =>
        _ports.HostPort(InstanceName.Parse($"{service}.web.1"), Service(service, "x.example.com", "l7").Components[0], 8080);

    private void Store(string name, string hostname, string mode)
    {
        var service = Service(name, hostname, mode);
        _ports.Allocate(InstanceName.Parse($"{name}.web.1"), service.Components[0]);
        _registry.Components.StoreAt(service, new Dictionary<string, int> { ["web"] = 1 });
    }

    private static Hostname Host(string text) => Hostname.TryParse(text, out var hostname) ? hostname : throw new ArgumentException(text);

    private static ServiceDefinition Service(string name, string hostname, string mode) => ServiceFile.Parse($"""
        name = "{name}"
        [[components]]
        name = "web"
        image = "localhost/web:1"
        [[components.routes]]
        name = "http"
        port = 8080
        mode = "{mode}"
        hostname = "{hostname}"
        """, "service file");
}
