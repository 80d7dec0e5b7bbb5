using Mcp.Agent.Ports;
using Mcp.Agent.Registry;
using Mcp.Model.Definition;
using Mcp.Model.Names;
using Mcp.Model.Revisions;

namespace Mcp.UnitTests.Agent;

public sealed class PortAllocatorTests : IDisposable
{
    private static readonly InstanceName s_instance = InstanceName.Parse("blog.web.1");
    private readonly string _directory = Directory.CreateTempSubdirectory("mcp-ports").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Theory]
    [InlineData("0.0.0.0:9000:8080")]
    [InlineData("127.0.0.1:9000:8080")]
    public void A_fixed_port_on_loopback_is_the_one_that_probes_and_routes_use(string port)
    {
        var (ports, component) = Allocated(port);
        Assert.Equal(9000, ports.HostPort(s_instance, component, 8080));
        Assert.Single(ports.Spec(s_instance, component, RevisionId.Of(component)).Ports);
    }

    [Theory]
    [InlineData("192.0.2.7:9000:8080")]
    [InlineData("127.0.0.2:9000:8080")]
    [InlineData("[fd00::7]:9000:8080")]
    public void A_component_with_a_port_on_one_address_only_gets_another_on_loopback_for_probes_and_routes(string port)
    {
        var (ports, component) = Allocated(port);
        var asked = ports.HostPort(s_instance, component, 8080);
        Assert.InRange(asked, 20000, 20999);
        Assert.Equal(
            [component.Ports[0], new FixedPort("127.0.0.1", asked, 8080)],
            ports.Spec(s_instance, component, RevisionId.Of(component)).Ports);
        // What the program tells others is the port that was asked for.
        Assert.Equal("9000", ports.Spec(s_instance, component, RevisionId.Of(component)).Env["HOST_PORT"]);
    }

    [Fact]
    public void An_instance_of_before_that_has_no_port_on_loopback_is_not_looked_for_at_somebody_elses()
    {
        var (ports, component) = Allocated("192.0.2.7:9000:8080");
        Assert.Equal(0, ports.HostPort(InstanceName.Parse("blog.web.2"), component, 8080));
    }

    private (PortAllocator Ports, ComponentDefinition Component) Allocated(string port)
    {
        var component = ServiceFile.Parse($"""
            name = "blog"
            [[components]]
            name = "web"
            image = "localhost/web:1"
            ports = ["{port}"]
            [[components.routes]]
            name = "http"
            port = 8080
            """, "blog.toml").Components[0];
        var ports = new PortAllocator(AgentRegistry.Open(Path.Combine(_directory, "registry.db"), TimeProvider.System).Ports, 20000, 20999);
        ports.Allocate(s_instance, component);
        return (ports, component);
    }
}
