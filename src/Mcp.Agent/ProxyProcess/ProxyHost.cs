using System.Globalization;
using System.Text.Json;
using Mcp.Agent.Membership;
using Mcp.Agent.Proxy;
using Mcp.Agent.ProxyProcess.Public;
using Mcp.Daemon.Doors;
using Mcp.Daemon.Lifecycle;
using Mcp.Machine;
using OpenTelemetry.Metrics;
using Yarp.ReverseProxy.Forwarder;

namespace Mcp.Agent.ProxyProcess;

/// <summary>The `mcp-agent proxy` process: forwards HTTP by host name, TLS by SNI. A process of its own, so that an agent restart drops no
/// connection.</summary>
internal static class ProxyHost
{
    public static async Task<int> RunAsync(AgentConfig config)
    {
        TlsPolicy.Apply(config.State);
        var file = Path.Combine(config.State, "routes.json");
        var peer = new FleetPeer(Member.DirectoryOf(config.State));
        using var tables = new ProxyTables(new RouteTable(), new CertificateTable(), new PublicTable(peer));
        if (File.Exists(file))
            tables.Replace(JsonSerializer.Deserialize(await File.ReadAllTextAsync(file), ProxyJson.Default.ProxyRoutes)!);
        var builder = Bare.Builder();
        // As long as anyone would listen to this category, each request gets an Activity and a log scope, and its outgoing half another
        // Activity.
        builder.Logging.AddFilter("Microsoft.AspNetCore.Hosting.Diagnostics", LogLevel.None);
        // Of the public: anybody could fill the disk with failures. They are in the access log.
        if (config.Edge is not null)
            builder.Logging.AddFilter("Yarp", LogLevel.None);
        // Forwarding never blocks, so it may run where the bytes arrive.
        builder.WebHost.UseSockets(sockets =>
        {
            sockets.UnsafePreferInlineScheduling = true;
            // One system call less for each request, 4 KiB more for each idle connection.
            sockets.WaitForDataBeforeAllocatingBuffer = false;
        });
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.WebHost.ConfigureKestrel(kestrel => Listeners.Open(kestrel, config, tables, peer));
        builder.Services.AddHttpForwarder();
        if (config.Edge?.Metrics is not null)
            builder.Services.AddOpenTelemetry().WithMetrics(m => m.AddMeter(PublicMetrics.MeterName).AddPrometheusExporter());
        await using var app = builder.Build();
        app.Use(KestrelDoors.CountAsync);
        if (config.Edge?.Metrics is not null)
        {
            app.UseOpenTelemetryPrometheusScrapingEndpoint(context =>
                Entrance.Of(context) == EntranceKind.Metrics && context.Request.Path == "/metrics");
        }

        var http = app.Services.GetRequiredService<IHttpForwarder>();
        using var forwarder = new L7Forwarder(tables.Local, http);
        using var control = new ProxyControl(tables, file, app.Lifetime);
        await using var log = new AccessLog(config.Edge is { AccessLog: true } ? Path.Combine(config.EdgeDirectory, "access.log") : null);
        using var metrics = new PublicMetrics();
        var plain = new PlainEntrance(tables.Public, config.AcmeRoot, config.Edge?.Https.Port ?? 0);
        var open = config.Edge is { } edge ? new PublicForwarder(tables.Public, http, edge, log, metrics) : null;
        app.Run(context => Entrance.Of(context) switch
        {
            EntranceKind.Control => control.AnswerAsync(context),
            EntranceKind.Local => forwarder.ForwardAsync(context),
            EntranceKind.Overlay => forwarder.ForwardFromNodeAsync(context),
            EntranceKind.PublicPlain => plain.AnswerAsync(context),
            EntranceKind.Public => open!.ForwardAsync(context),
            EntranceKind.Metrics => Task.FromResult(context.Response.StatusCode = StatusCodes.Status404NotFound),
        });
        await app.StartAsync();
        File.SetUnixFileMode(config.ProxySocket, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        await File.WriteAllTextAsync(config.ProxyPidFile, Environment.ProcessId.ToString(CultureInfo.InvariantCulture));
        await File.WriteAllTextAsync(config.ProxyOptionsFile, config.ProxyFingerprint);
        await app.WaitForShutdownAsync();
        return 0;
    }
}

/// <summary>Everything that the agent pushes.</summary>
internal sealed record ProxyTables(RouteTable Local, CertificateTable Certificates, PublicTable Public) : IDisposable
{
    public void Replace(ProxyRoutes routes)
    {
        Certificates.Replace(routes.Certificates ?? []);
        Local.Replace(routes);
        Public.Replace(routes.Public ?? []);
    }

    public void Dispose() => Public.Dispose();
}

/// <summary>Answers the agent on the control socket: PUT /routes, GET /in-flight/PORT, GET /requests/PORT, POST /end.</summary>
internal sealed class ProxyControl(ProxyTables tables, string file, IHostApplicationLifetime lifetime) : IDisposable
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
                WholeFile.Replace(file, s => JsonSerializer.Serialize(s, routes!, ProxyJson.Default.ProxyRoutes));
                tables.Replace(routes!);
            }
            finally
            {
                _writing.Release();
            }
        }
        else if (context.Request.Method == "GET" && IsOf(path, ProxyControlPaths.InFlight, out var port))
        {
            await context.Response.WriteAsync(tables.Local.InFlight(port).ToString(CultureInfo.InvariantCulture));
        }
        else if (context.Request.Method == "GET" && IsOf(path, ProxyControlPaths.Requests, out var asked))
        {
            await context.Response.WriteAsync(tables.Local.Requests(asked).ToString(CultureInfo.InvariantCulture));
        }
        else if (context.Request.Method == "POST" && path == "/end")
        {
            // What is under way is carried to its end.
            lifetime.StopApplication();
        }
        else
        {
            context.Response.StatusCode = StatusCodes.Status404NotFound;
        }
    }

    private static bool IsOf(string path, string question, out int port)
    {
        port = 0;
        return path.StartsWith(question, StringComparison.Ordinal)
            && int.TryParse(path.AsSpan(question.Length), CultureInfo.InvariantCulture, out port);
    }
}
