using Mcp.Daemon.Doors;
using Mcp.Daemon.Identity;
using Mcp.Daemon.Lifecycle;
using Mcp.Master.Dns;
using Mcp.Master.Nodes;
using Mcp.Master.Rpc;
using Mcp.Master.Store;

namespace Mcp.Master;

/// <summary>`mcp-master run`: database, nodes of the configuration, agent pool, DNS, TLS, authorisation, server, work; ended in reverse
/// when it is told to stop.</summary>
[System.Diagnostics.CodeAnalysis.SuppressMessage("Design", "CA1001", Justification = "the stages dispose what they made")]
internal sealed class MasterHost(MasterConfig config)
{
    private readonly TimeProvider _time = TimeProvider.System;
    private MasterStore _store = null!;
    private FleetIdentity _identity = null!;
    private AgentPool _agents = null!;
    private DnsProviders _dns = null!;
    private MasterParts _node = null!;
    private TokenSigner _tokens = null!;
    private RoleTable _roles = null!;
    private AuditLog _audit = null!;

    public static async Task<int> RunAsync(MasterConfig config)
    {
        using var stop = new StopSignal();
        var host = new MasterHost(config);
        return await host.Stages().RunAsync($"mcp-master {config.Name} listens on {config.Listen}", stop.Token);
    }

    internal DaemonHost Stages() => new DaemonHost("mcp-master")
        .Stage("lock", () => StateLock.Take("mcp-master", Path.Combine(config.State, "master.lock")))
        .Stage("database", () => _store = MasterStore.Open(Path.Combine(config.State, "master.db"), _time))
        .Stage("nodes", Expect)
        .Stage("agents", () => _agents = new AgentPool(() => _identity, _time))
        .Stage("dns", () => _dns = new DnsProviders(config, _store, _time))
        .Stage("tls", () => _identity = new FleetIdentity(config, _time))
        .Stage("auth", Authorise)
        .Stage("server", ServeAsync)
        .Stage("work", _ => Task.FromResult(Work()));

    private IDisposable? Expect()
    {
        foreach (var node in config.Nodes)
            _store.Nodes.Expect(node.Name, node.Roles);
        return null;
    }

    private AuditLog Authorise()
    {
        _tokens = new TokenSigner(File.ReadAllText(Path.Combine(config.State, "token.key")), _time);
        _roles = new RoleTable((Protocol.V1.Agent.Descriptor, RpcRoles.Agent), (Protocol.V1.Master.Descriptor, RpcRoles.Master));
        return _audit = new AuditLog(Path.Combine(config.State, "audit.log"), _time);
    }

    // Certificates and tokens are there, so everything can be put together.
    private async Task<Func<Task>> ServeAsync(CancellationToken ct)
    {
        _node = new MasterParts(config, _store, _identity, _agents, _dns.Chosen, edge: null, _time);
        _tokens.Expiring += _node.Endings.Hear;
        var builder = Bare.Builder();
        builder.Services.AddRouting();
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.ListenGrpc(config.Listen, () => _identity.Own, _identity.Authority));
        builder.Services.AddSingleton(_time);
        builder.Services.AddSingleton(_node);
        builder.Services.AddSingleton(_identity);
        builder.Services.AddSingleton(_tokens);
        builder.Services.AddSingleton(_roles);
        builder.Services.AddSingleton(_audit);
        builder.Services.AddSingleton<Authenticate>();
        builder.Services.AddSingleton<AuthInterceptor>();
        builder.Services.AddSingleton(new Strangers(_ => true, _tokens, _time));
        builder.Services.AddGrpc(grpc => grpc.Interceptors.Add<AuthInterceptor>());
        var app = builder.Build();
        app.Use(app.Services.GetRequiredService<Strangers>().PassAsync);
        app.Use(new HeartbeatDoor(_node.Membership, _time).PassAsync);
        app.MapGrpcService<FleetRpc>();
        app.MapGrpcService<MasterRpc>();
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
        var work = _node.WorkAsync(new Supervise(new FaultLog(logs.CreateLogger<FaultLog>()), _time), end.Token);
        return async () =>
        {
            await end.CancelAsync();
            await work.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            end.Dispose();
            logs.Dispose();
        };
    }
}
