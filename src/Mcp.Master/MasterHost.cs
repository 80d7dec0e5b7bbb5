using Mcp.Daemon.Identity;
using Mcp.Daemon.Lifecycle;
using Mcp.Master.Nodes;
using Mcp.Master.Rpc;
using Mcp.Master.Store;

namespace Mcp.Master;

/// <summary>`mcp-master run`: database, nodes of the configuration, agent pool, DNS, TLS, server, work; ended in reverse when it is told to stop.</summary>
[System.Diagnostics.CodeAnalysis.SuppressMessage("Design", "CA1001", Justification = "the stages dispose what they made")]
internal sealed class MasterHost(MasterConfig config)
{
    private readonly TimeProvider _time = TimeProvider.System;
    private MasterStore _store = null!;
    private FleetIdentity _identity = null!;
    private AgentPool _agents = null!;
    private MasterNode _node = null!;

    public static async Task<int> RunAsync(MasterConfig config)
    {
        using var stop = new StopSignal();
        var host = new MasterHost(config);
        return await new DaemonHost("mcp-master")
            .Stage("lock", () => StateLock.Take("mcp-master", Path.Combine(config.State, "master.lock")))
            .Stage("database", () => host._store = MasterStore.Open(Path.Combine(config.State, "master.db"), host._time))
            .Stage("nodes", host.Expect)
            .Stage("identity", () => host._identity = new FleetIdentity(config, host._time))
            .Stage("agents", () => host._agents = new AgentPool(host._identity, host._time))
            .Stage("parts", host.Assemble)
            .Stage("server", host.ServeAsync)
            .Stage("work", _ => Task.FromResult(host.Work()))
            .RunAsync($"mcp-master {config.Name} listens on {config.Listen}", stop.Token);
    }

    private IDisposable? Expect()
    {
        foreach (var (name, roles) in config.Nodes)
            _store.Nodes.Expect(name, roles);
        return null;
    }

    private IDisposable? Assemble()
    {
        _node = new MasterNode(config, _store, _identity, _agents, dns: null, edge: null, _time);
        return null;
    }

    private async Task<Func<Task>> ServeAsync(CancellationToken ct)
    {
        var builder = Bare.Builder();
        builder.Services.AddRouting();
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.ListenGrpc(config.Listen, () => _identity.Own, _identity.Authority));
        builder.Services.AddSingleton(_time);
        builder.Services.AddSingleton(_node);
        builder.Services.AddSingleton(_identity);
        builder.Services.AddSingleton(new TokenSigner(await File.ReadAllTextAsync(Path.Combine(config.State, "token.key"), ct), _time));
        builder.Services.AddSingleton(new RoleTable((Protocol.V1.Agent.Descriptor, RpcRoles.Agent), (Protocol.V1.Master.Descriptor, RpcRoles.Master)));
        builder.Services.AddSingleton(new AuditLog(Path.Combine(config.State, "audit.log"), _time));
        builder.Services.AddSingleton<AuthInterceptor>();
        builder.Services.AddGrpc(grpc => grpc.Interceptors.Add<AuthInterceptor>());
        var app = builder.Build();
        app.MapGrpcService<FleetRpc>();
        app.MapGrpcService<MasterRpc>();
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
        var work = _node.WorkAsync(end.Token);
        return async () =>
        {
            await end.CancelAsync();
            await work.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            end.Dispose();
        };
    }
}
