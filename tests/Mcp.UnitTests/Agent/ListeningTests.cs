using System.Net;
using System.Net.Sockets;
using Mcp.Agent.Probes;
using Mcp.Model.Definition;
using Mcp.Model.Names;
using Mcp.TestKit.Fakes;

namespace Mcp.UnitTests.Agent;

/// <summary>A connection that somebody takes for the instance is not the instance's.</summary>
public sealed class ListeningTests
{
    [Theory]
    [InlineData("tcp", null, true)]
    [InlineData("tcp", true, true)]
    [InlineData("tcp", false, false)]
    [InlineData("http", false, false)]
    [InlineData("grpc", false, false)]
    public async Task A_check_of_a_port_is_well_only_where_the_runtime_does_not_deny_it(string kind, bool? listens, bool healthy)
    {
        using var taker = new TcpListener(IPAddress.Loopback, 0);
        taker.Start();
        using var runtime = new FakeRuntime(TimeProvider.System) { Listens = listens };
        using var probe = new HealthProbe();
        var check = new HealthCheck { Port = 8080, Timeout = TimeSpan.FromSeconds(20) };
        check = kind switch
        {
            "http" => check with { Http = "/" },
            "grpc" => check with { Grpc = true },
            _ => check with { Tcp = true },
        };
        var port = ((IPEndPoint)taker.LocalEndpoint).Port;
        var verdict = await probe.ProbeAsync(check, port, InstanceName.Parse("blog.web.1"), runtime, default);
        Assert.Equal(healthy, verdict.Healthy);
        Assert.Equal(!healthy, verdict.Answered.Contains("nothing of it listens", StringComparison.Ordinal));
    }
}
