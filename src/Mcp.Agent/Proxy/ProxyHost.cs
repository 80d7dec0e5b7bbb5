using System.Globalization;
using System.Net;
using System.Text.Json;
using Mcp.Daemon.Lifecycle;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Yarp.ReverseProxy.Forwarder;

namespace Mcp.Agent.Proxy;

/// <summary>The `mcp-agent proxy` process: forwards HTTP by host name, TLS by SNI. A process of its own, so that an agent restart drops no connection.</summary>
internal static class ProxyHost
{
    public static async Task<int> RunAsync(AgentConfig config)
    {
        var file = Path.Combine(config.State, "routes.json");
        var (table, certificates) = (new RouteTable(), new CertificateTable());
        if (File.Exists(file))
        {
            var kept = JsonSerializer.Deserialize(await File.ReadAllTextAsync(file), ProxyJson.Default.ProxyRoutes)!;
            table.Replace(kept);
            certificates.Replace(kept.Certificates ?? []);
        }

        var builder = Bare.Builder();
        // As long as anyone would listen to this category, each request gets an Activity and a log scope, and its outgoing half another Activity.
        builder.Logging.AddFilter("Microsoft.AspNetCore.Hosting.Diagnostics", LogLevel.None);
        // Forwarding never blocks, so it may run where the bytes arrive.
        builder.WebHost.UseSockets(sockets =>
        {
            sockets.UnsafePreferInlineScheduling = true;
            // One system call less for each request, 4 KiB more for each idle connection.
            sockets.WaitForDataBeforeAllocatingBuffer = false;
        });
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = null;
            kestrel.Listen(IPEndPoint.Parse(config.Proxy.Http), listen => listen.Protocols = HttpProtocols.Http1);
            if (config.Proxy.H2c is { } h2c)
                kestrel.Listen(IPEndPoint.Parse(h2c), listen => listen.Protocols = HttpProtocols.Http2);
            if (config.Proxy.Overlay is { } overlay)
                kestrel.Listen(IPEndPoint.Parse(overlay), listen => listen.UseHttps(https => https.ServerCertificateSelector = (_, name) => certificates.Find(name)));
            kestrel.Listen(IPEndPoint.Parse(config.Proxy.Tls), listen => listen.Run(new SniPassthrough(table).CarryAsync));
            File.Delete(config.ProxySocket);
            kestrel.ListenUnixSocket(config.ProxySocket);
        });
        builder.Services.AddHttpForwarder();
        await using var app = builder.Build();
        using var forwarder = new L7Forwarder(table, app.Services.GetRequiredService<IHttpForwarder>());
        using var control = new ProxyControl(table, certificates, file);
        // Only the control socket has no local IP address.
        app.Run(context => context.Connection.LocalIpAddress is null ? control.AnswerAsync(context) : forwarder.ForwardAsync(context));
        await app.StartAsync();
        File.SetUnixFileMode(config.ProxySocket, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        await File.WriteAllTextAsync(config.ProxyPidFile, Environment.ProcessId.ToString(CultureInfo.InvariantCulture));
        await app.WaitForShutdownAsync();
        return 0;
    }
}

/// <summary>Answers the agent on the control socket: PUT /routes, GET /in-flight/PORT.</summary>
internal sealed class ProxyControl(RouteTable table, CertificateTable certificates, string file) : IDisposable
{
    private readonly SemaphoreSlim _writing = new(1, 1);

    public void Dispose() => _writing.Dispose();

    public async Task AnswerAsync(HttpContext context)
    {
        var path = context.Request.Path.Value ?? "";
        if (context.Request.Method == "PUT" && path == "/routes")
        {
            var routes = await JsonSerializer.DeserializeAsync(context.Request.Body, ProxyJson.Default.ProxyRoutes, context.RequestAborted);
            await _writing.WaitAsync(context.RequestAborted);
            try
            {
                await File.WriteAllTextAsync(file + ".new", JsonSerializer.Serialize(routes!, ProxyJson.Default.ProxyRoutes));
                File.Move(file + ".new", file, overwrite: true);
                certificates.Replace(routes!.Certificates ?? []);
                table.Replace(routes);
            }
            finally
            {
                _writing.Release();
            }
        }
        else if (context.Request.Method == "GET" && path.StartsWith("/in-flight/", StringComparison.Ordinal) && int.TryParse(path.AsSpan(11), CultureInfo.InvariantCulture, out var port))
        {
            await context.Response.WriteAsync(table.InFlight(port).ToString(CultureInfo.InvariantCulture));
        }
        else
        {
            context.Response.StatusCode = StatusCodes.Status404NotFound;
        }
    }
}
