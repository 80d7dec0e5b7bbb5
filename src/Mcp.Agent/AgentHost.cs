using System.Net;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using Grpc.Health.V1;
using Grpc.HealthCheck;
using Mcp.Agent.Rpc;
using Mcp.Daemon.Identity;
using Mcp.Model;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Mcp.Agent;

/// <summary>`mcp-agent run`: open the registry, put the parts together, TLS, tokens, serve; resume the journal; reconcile until stopped.</summary>
internal static class AgentHost
{
    public static async Task<int> RunAsync(AgentConfig config)
    {
        using var only = Lock(config.State);
        using var node = new AgentNode(config, TimeProvider.System);
        var builder = Bare.Builder();
        builder.Services.AddRouting();
        builder.WebHost.UseKestrelHttpsConfiguration();
        using var certificate = Certificate(config.State);
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPEndPoint.Parse(config.Listen), listen =>
        {
            listen.Protocols = HttpProtocols.Http2;
            listen.UseHttps(https =>
            {
                https.ServerCertificate = certificate;
                https.SslProtocols = SslProtocols.Tls13;
            });
        }));
        builder.Services.AddSingleton(TimeProvider.System);
        builder.Services.AddSingleton(node);
        builder.Services.AddSingleton(new TokenSigner(await File.ReadAllTextAsync(Path.Combine(config.State, "token.key")), TimeProvider.System));
        builder.Services.AddSingleton(new RoleTable(Protocol.V1.Agent.Descriptor, AgentRoles.All));
        builder.Services.AddSingleton(new AuditLog(Path.Combine(config.State, "audit.log"), TimeProvider.System));
        builder.Services.AddSingleton<AuthInterceptor>();
        var health = new HealthServiceImpl();
        health.SetStatus("", HealthCheckResponse.Types.ServingStatus.Serving);
        builder.Services.AddSingleton(health);
        builder.Services.AddGrpc(grpc => grpc.Interceptors.Add<AuthInterceptor>());
        await using var app = builder.Build();
        app.MapGrpcService<AgentRpc>();
        app.MapGrpcService<HealthServiceImpl>();
        await app.StartAsync();
        Console.WriteLine($"mcp-agent {config.Name} listens on {config.Listen}");
        var work = node.WorkAsync(app.Lifetime.ApplicationStopping);
        await app.WaitForShutdownAsync();
        await work.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        return 0;
    }

    private static X509Certificate2 Certificate(string state)
    {
        using var pem = X509Certificate2.CreateFromPemFile(Path.Combine(state, "server.crt"), Path.Combine(state, "server.key"));
        return X509CertificateLoader.LoadPkcs12(pem.Export(X509ContentType.Pkcs12), null);
    }

    /// <summary>A lock file that the kernel lets go of when the process dies.</summary>
    private static FileStream Lock(string state)
    {
        try
        {
            return new FileStream(Path.Combine(state, "agent.lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException e)
        {
            throw new McpException("state.busy", $"another mcp-agent runs on {state}", "stop it first, or give this one a state directory of its own", e);
        }
    }
}
