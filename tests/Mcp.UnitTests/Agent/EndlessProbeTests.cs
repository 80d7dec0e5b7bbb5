using System.Net;
using Mcp.Agent.Probes;
using Mcp.Model.Definition;
using Mcp.Model.Names;
using Mcp.TestKit.Fakes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Logging;

namespace Mcp.UnitTests.Agent;

/// <summary>A service that answers its check without end.</summary>
public sealed class EndlessProbeTests
{
    [Theory]
    [InlineData(true, "grpc-status missing")]
    [InlineData(false, "HTTP 200")]
    public async Task Only_the_beginning_of_its_answer_is_taken(bool isGrpc, string answered)
    {
        var sent = 0L;
        var builder = WebApplication.CreateSlimBuilder();
        var protocol = isGrpc ? HttpProtocols.Http2 : HttpProtocols.Http1;
        builder.WebHost.ConfigureKestrel(k => k.Listen(IPAddress.Loopback, 0, l => l.Protocols = protocol));
        builder.Logging.ClearProviders();
        await using var server = builder.Build();
        server.Run(async context =>
        {
            while (!context.RequestAborted.IsCancellationRequested)
            {
                await context.Response.Body.WriteAsync(new byte[64 * 1024], context.RequestAborted);
                Interlocked.Add(ref sent, 64 * 1024);
            }
        });
        await server.StartAsync(TestContext.Current.CancellationToken);
        using var probe = new HealthProbe();
        using var runtime = new FakeRuntime(TimeProvider.System);
        var check = new HealthCheck { Grpc = isGrpc, Http = isGrpc ? null : "/", Port = 80, Timeout = TimeSpan.FromSeconds(20) };
        var verdict = await probe.ProbeAsync(
            check, new Uri(server.Urls.First()).Port, InstanceName.Parse("blog.web.1"), runtime, TestContext.Current.CancellationToken);
        Assert.Contains(answered, verdict.Answered, StringComparison.Ordinal);
        Assert.Equal(isGrpc ? "grpc" : "http", verdict.Kind);
        Assert.InRange(Interlocked.Read(ref sent), 0, 32 << 20);
    }
}
