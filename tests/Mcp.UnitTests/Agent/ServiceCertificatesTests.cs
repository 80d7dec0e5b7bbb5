using System.Security.Cryptography;
using Mcp.Agent;
using Mcp.Agent.Membership;
using Mcp.Agent.Proxy;
using Mcp.Agent.Registry;
using Mcp.Daemon.Identity;
using Mcp.Daemon.Lifecycle;
using Mcp.Model.Definition;
using Mcp.Model.Events;
using Mcp.Model.Names;

namespace Mcp.UnitTests.Agent;

/// <summary>A node of a fleet whose master is away.</summary>
public sealed class ServiceCertificatesTests : IDisposable
{
    private readonly string _state = Directory.CreateTempSubdirectory("mcp-services").FullName;
    private readonly AgentConfig _config;
    private readonly AgentRegistry _registry;
    private readonly Member _member;

    public ServiceCertificatesTests()
    {
        var file = Path.Combine(_state, "agent.toml");
        File.WriteAllText(file, $"""
            name = "rift"
            listen = "127.0.0.1:7443"
            state = "{_state}"
            [proxy]
            overlay = "127.0.0.1:8444"
            """);
        _config = AgentConfig.Read(file);
        _registry = AgentRegistry.Open(_config.Registry, TimeProvider.System);
        var now = TimeProvider.System.GetUtcNow();
        using var authority = CertificateAuthority.Create(_state, "mcp fleet", now);
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var name = new PeerName(Label.Parse("rift"), false);
        using var certificate = authority.Sign(Joining.Request(key), name, ["127.0.0.1"], now, TimeSpan.FromDays(1));
        var given = new Protocol.V1.Membership
        {
            Ca = authority.Certificate.ExportCertificatePem(),
            Certificate = certificate.ExportCertificatePem(),
            TokenKey = "",
        };
        Directory.CreateDirectory(Member.DirectoryOf(_state) + ".new");
        // Nobody listens there.
        Member.Write(_state, "127.0.0.1:1", given, key);
        _member = Member.Find(_state)!;
    }

    public void Dispose()
    {
        _member.Dispose();
        _registry.Dispose();
        Directory.Delete(_state, recursive: true);
    }

    [Fact]
    public async Task What_keeps_services_from_their_certificates_is_told_once_of_each_also_over_a_restart()
    {
        ServiceDefinition[] services = [Service("shop"), Service("blog"), Service("wiki")];
        for (var start = 0; start < 2; start++)
        {
            using var certificates = new ServiceCertificates(_config, _registry, new NoProxy(), TimeProvider.System);
            certificates.Join(_member);
            for (var round = 0; round < 3; round++)
            {
                foreach (var service in services)
                    await certificates.EnsureAsync(service, default);
            }
        }

        var told = _registry.Events.After(0, 100);
        Assert.All(told, e => Assert.Equal(EventKind.CertificateFailed, e.Kind));
        Assert.Equal(["blog", "shop", "wiki"], told.Select(e => e.Service).Order(StringComparer.Ordinal));
        Assert.Contains(told, e => e.Detail.StartsWith("shop.mcp.internal: ", StringComparison.Ordinal));
    }

    private static ServiceDefinition Service(string name) => ServiceFile.Parse($"""
        name = "{name}"
        [[components]]
        name = "web"
        image = "example.com/hello:v1"
        [[components.routes]]
        name = "http"
        port = 80
        """, "test");

    private sealed class NoProxy : INodeProxy
    {
        public string? Fault => null;

        public Task PushAsync(CancellationToken ct) => Task.CompletedTask;

        public Task DrainAsync(InstanceName instance, TimeSpan limit, Draining what, CancellationToken ct) => Task.CompletedTask;

        public Task<bool> AnswersAsync(CancellationToken ct) => Task.FromResult(false);

        public Task KeepAsync(FaultLog log, CancellationToken ct) => Task.CompletedTask;
    }
}
