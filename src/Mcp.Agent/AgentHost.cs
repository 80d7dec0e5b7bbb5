using System.Net;
using Grpc.Health.V1;
using Grpc.HealthCheck;
using Mcp.Agent.Membership;
using Mcp.Agent.Rpc;
using Mcp.Daemon.Doors;
using Mcp.Daemon.Identity;
using Mcp.Daemon.Lifecycle;

namespace Mcp.Agent;

/// <summary>`mcp-agent run`: lock, database, TLS, authorisation, server, work, as far as there is one like the master's; ended in reverse when it is told to stop.</summary>
[System.Diagnostics.CodeAnalysis.SuppressMessage("Design", "CA1001", Justification = "the stages dispose what they made")]
internal sealed class AgentHost(AgentConfig config)
{
    private AgentParts _node = null!;
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
        .Stage("database", () => _node = new AgentParts(config, TimeProvider.System))
        .Stage("tls", Identify)
        .Stage("auth", Authorise)
        .Stage("server", ServeAsync)
        .Stage("work", ct => Task.FromResult(Work()));

    // In a fleet the master's CA has signed for this node; alone, its own.
    private IDisposable? Identify()
    {
        _member = Member.Find(config.State);
        _node.Certificates.Join(_member);
        if (_member is not null)
        {
            _node.Endings.Watch(() => [.. _member.Endings, .. _node.Certificates.Endings]);
            return _member;
        }

        _own = new ServerCertificate(config.State, _node.Registry.Events, TimeProvider.System);
        _node.Endings.Watch(() => _own.Endings);
        return _own;
    }

    private AuditLog Authorise()
    {
        _tokens = new TokenSigner(_member?.TokenKey ?? File.ReadAllText(Path.Combine(config.State, "token.key")), TimeProvider.System);
        _tokens.Expiring += _node.Endings.Hear;
        _roles = new RoleTable((Protocol.V1.Agent.Descriptor, RpcRoles.Agent));
        return _audit = new AuditLog(Path.Combine(config.State, "audit.log"), TimeProvider.System);
    }

    private async Task<Func<Task>> ServeAsync(CancellationToken ct)
    {
        var builder = Bare.Builder();
        builder.Services.AddRouting();
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.ListenGrpc(IPEndPoint.Parse(config.Listen), () => _member?.Certificate ?? _own!.Current, _member?.Authority));
        builder.Services.AddSingleton(TimeProvider.System);
        builder.Services.AddSingleton(_node);
        builder.Services.AddSingleton(_tokens);
        builder.Services.AddSingleton(_roles);
        builder.Services.AddSingleton(_audit);
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
        await app.StartAsync(ct);
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
            : supervise.KeepAsync("heartbeats", new Heartbeats(_node, _member, supervise.Log, TimeProvider.System).RunAsync, end.Token);
        var work = Task.WhenAll(_node.WorkAsync(supervise, end.Token), identity);
        return async () =>
        {
            await end.CancelAsync();
            await work.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            end.Dispose();
            logs.Dispose();
        };
    }
}
