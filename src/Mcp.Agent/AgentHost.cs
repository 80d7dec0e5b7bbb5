using Grpc.Health.V1;
using Grpc.HealthCheck;
using Mcp.Agent.Deploy;
using Mcp.Agent.Membership;
using Mcp.Agent.Proxy;
using Mcp.Agent.Recovery;
using Mcp.Agent.Rpc;
using Mcp.Daemon.Doors;
using Mcp.Daemon.Identity;
using Mcp.Daemon.Lifecycle;

namespace Mcp.Agent;

/// <summary>`mcp-agent run`: lock, database, TLS, authorisation, server, work, as far as there is one like the master's; ended in reverse
/// when it is told to stop.</summary>
[System.Diagnostics.CodeAnalysis.SuppressMessage("Design", "CA1001", Justification = "the stages dispose what they made")]
internal sealed class AgentHost(AgentConfig config)
{
    private AgentParts _parts = null!;
    private Member? _member;
    private ServerCertificate? _own;
    private TokenSigner _tokens = null!;
    private RoleTable _roles = null!;
    private AuditLog _audit = null!;

    public static async Task<int> RunAsync(AgentConfig config)
    {
        using var stop = new StopSignal();
        var host = new AgentHost(config);
        return await host.Stages().RunAsync($"mcp-agent {config.Name} listens on {config.Listen}", stop.Token);
    }

    internal DaemonHost Stages() => new DaemonHost("mcp-agent")
        .Stage("lock", () => StateLock.Take("mcp-agent", Path.Combine(config.State, "agent.lock")))
        .Stage("database", () => _parts = Parts())
        .Stage("tls", Identify)
        .Stage("auth", Authorise)
        .Stage("server", ServeAsync)
        .Stage("work", ct => Task.FromResult(Work()));

    private AgentParts Parts() => new(
        config,
        NodeRuntimes.Of(config),
        (registry, ports) => new RoutePush(config, registry, ports),
        MachineRun.Name(config.State),
        TimeProvider.System);

    // In a fleet the master's CA has signed for this node; alone, its own.
    private IDisposable? Identify()
    {
        _member = Member.Find(config.State);
        _parts.Certificates.Join(_member);
        if (_member is not null)
        {
            _parts.Endings.Watch(() => [.. _member.Endings, .. _parts.Certificates.Endings]);
            return _member;
        }

        _own = new ServerCertificate(config.State, _parts.Registry.Events, TimeProvider.System);
        _parts.Endings.Watch(() => _own.Endings);
        return _own;
    }

    private AuditLog Authorise()
    {
        _tokens = new TokenSigner(_member?.TokenKey ?? File.ReadAllText(Path.Combine(config.State, "token.key")), TimeProvider.System);
        _tokens.Expiring += _parts.Endings.Hear;
        _roles = new RoleTable((Protocol.V1.Agent.Descriptor, RpcRoles.Agent));
        return _audit = new AuditLog(Path.Combine(config.State, "audit.log"), TimeProvider.System);
    }

    private async Task<Func<Task>> ServeAsync(CancellationToken ct)
    {
        var builder = Bare.Builder();
        builder.Services.AddRouting();
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.ListenGrpc(
            config.Listen, () => _member?.Certificate ?? _own!.Current, _member?.Authority));
        builder.Services.AddSingleton(TimeProvider.System);
        builder.Services.AddSingleton(_parts.Services);
        builder.Services.AddSingleton(_parts.Node);
        builder.Services.AddSingleton(_parts.Registry);
        builder.Services.AddSingleton(new RequestNumbers(_parts.Certificates, _parts.Registry.Peers));
        builder.Services.AddSingleton(_tokens);
        builder.Services.AddSingleton(_roles);
        builder.Services.AddSingleton(_audit);
        builder.Services.AddSingleton<Authenticate>();
        builder.Services.AddSingleton<AuthInterceptor>();
        // Nodes have nothing to ask of each other here.
        builder.Services.AddSingleton(new Strangers(peer => peer.IsMaster, _tokens, TimeProvider.System));
        var health = new HealthServiceImpl();
        health.SetStatus("", HealthCheckResponse.Types.ServingStatus.Serving);
        builder.Services.AddSingleton(health);
        builder.Services.AddGrpc(grpc => grpc.Interceptors.Add<AuthInterceptor>());
        var app = builder.Build();
        app.Use(app.Services.GetRequiredService<Strangers>().PassAsync);
        app.MapGrpcService<AgentRpc>();
        app.MapGrpcService<HealthServiceImpl>();
        await app.ListenAsync(config.Listen, ct);
        return async () =>
        {
            await app.StopAsync(CancellationToken.None);
            await app.DisposeAsync();
        };
    }

    private Func<Task> Work()
    {
        var end = new CancellationTokenSource();
        var logs = Bare.Logs();
        var supervise = new Supervise(new FaultLog(logs.CreateLogger<FaultLog>()), TimeProvider.System);
        var identity = _member is null
            ? supervise.KeepAsync("certificate of this agent", _own!.KeepAsync, end.Token)
            : supervise.KeepAsync("heartbeats", Heartbeats(_member, supervise.Log).RunAsync, end.Token);
        var work = Task.WhenAll(_parts.WorkAsync(supervise, end.Token), identity);
        return async () =>
        {
            await end.CancelAsync();
            await work.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            end.Dispose();
            logs.Dispose();
        };
    }

    private Heartbeats Heartbeats(Member member, FaultLog log) =>
        new(_parts.Node.View, _parts.Node.Services, _parts.Registry, member, log, TimeProvider.System);
}
