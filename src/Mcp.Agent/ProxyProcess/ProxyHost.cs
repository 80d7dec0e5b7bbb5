using System.Globalization;
using System.Text.Json;
using Mcp.Agent.Membership;
using Mcp.Agent.Proxy;
using Mcp.Agent.ProxyProcess.Handover;
using Mcp.Agent.ProxyProcess.Passing;
using Mcp.Agent.ProxyProcess.Public;
using Mcp.Daemon.Doors;
using Mcp.Daemon.Lifecycle;
using Mcp.Machine;
using OpenTelemetry.Metrics;
using Yarp.ReverseProxy.Forwarder;

namespace Mcp.Agent.ProxyProcess;

/// <summary>The `mcp-agent proxy` process: forwards HTTP by host name, TLS by SNI. A process of its own, so that an agent restart drops no
/// connection. Where a proxy runs already, this one takes its listening sockets over, and that one ends with its connections.</summary>
internal static class ProxyHost
{
    public static async Task<int> RunAsync(AgentConfig config)
    {
        TlsPolicy.Apply(config.State);
        using var before = Predecessor.Find(config);
        using var sockets = new ListenSockets();
        sockets.Inherit(before?.Sockets ?? []);
        sockets.Prepare(PortsTaken.Wanted(config).Select(w => w.At));
        var peer = new FleetPeer(Member.DirectoryOf(config.State));
        using var tables = new ProxyTables(new RouteTable(), new CertificateTable(), new PublicTable(peer));
        using var stored = new StoredRoutes(config.RoutesFile, tables);
        await stored.ReadAsync(CancellationToken.None);
        var limits = new List<ConnectionLimit>();
        var control = new ControlSockets(config);
        var own = control.Of(Environment.ProcessId);
        var builder = Builder(config, sockets);
        builder.WebHost.ConfigureKestrel(kestrel => limits.AddRange(Listeners.Open(kestrel, config, tables, peer, own)));
        await using var app = builder.Build();
        var departure = new Departure(sockets, () => limits.Sum(l => l.Count), app.Lifetime.StopApplication, TimeProvider.System);
        app.Use(KestrelDoors.CountAsync);
        app.Use(departure.PassAsync);
        if (config.Edge?.Metrics is not null)
        {
            app.UseOpenTelemetryPrometheusScrapingEndpoint(context =>
                Entrance.Of(context) == EntranceKind.Metrics && context.Request.Path == "/metrics");
        }

        var passage = new Passage(app.Services.GetRequiredService<IHttpForwarder>());
        var failures = new Failures(Console.Error, TimeProvider.System);
        using var forwarder = new L7Forwarder(
            tables.Local, passage, new LocalHeaders(config.Proxy.Trusted), failures, publicRate: config.Edge is { LeastRate: > 0 });
        var answers = new ProxyControl(tables.Local, stored, new ProxyIdentity(config, sockets), departure, app.Lifetime);
        var successor = new Successor(sockets, control, departure);
        await using var log = new AccessLog(config.Edge is { AccessLog: true } ? Path.Combine(config.EdgeDirectory, "access.log") : null);
        using var metrics = new PublicMetrics();
        var plain = new PlainEntrance(tables.Public, config.AcmeRoot, config.Edge?.Https.Port ?? 0);
        var open = config.Edge is { } edge ? new PublicForwarder(tables.Public, passage, edge, log, metrics) : null;
        app.Run(context => Entrance.Of(context) switch
        {
            EntranceKind.Control when context.Request.Path == ProxyControlPaths.Sockets => successor.GiveAsync(context),
            EntranceKind.Control => answers.AnswerAsync(context),
            EntranceKind.Local => forwarder.ForwardAsync(context),
            EntranceKind.Overlay => forwarder.ForwardFromNodeAsync(context),
            EntranceKind.PublicPlain => plain.AnswerAsync(context),
            EntranceKind.Public => open!.ForwardAsync(context),
            EntranceKind.Metrics => Task.FromResult(context.Response.StatusCode = StatusCodes.Status404NotFound),
        });
        await app.StartAsync();
        File.SetUnixFileMode(own, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        sockets.DropUnwanted();
        await TriedAsync(() =>
        {
            // Only agents of older versions need them.
            WholeFile.Replace(config.ProxyPidFile, Environment.ProcessId.ToString(CultureInfo.InvariantCulture));
            WholeFile.Replace(config.ProxyOptionsFile, config.ProxyFingerprint);
            return Task.CompletedTask;
        });
        control.Lead(Environment.ProcessId);
        if (before is not null)
        {
            before.Release();
            // What the one before was told while this one started.
            await TriedAsync(() => stored.ReadAsync(CancellationToken.None));
        }

        await app.WaitForShutdownAsync();
        return 0;
    }

    // By now this one has the connections, and ends for no file.
    private static async Task TriedAsync(Func<Task> act)
    {
        try
        {
            await act();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException)
        {
            await Console.Error.WriteLineAsync(e.Message);
        }
    }

    private static WebApplicationBuilder Builder(AgentConfig config, ListenSockets listening)
    {
        var builder = Bare.Builder();
        // As long as anyone would listen to this category, each request gets an Activity and a log scope, and its outgoing half another
        // Activity.
        builder.Logging.AddFilter("Microsoft.AspNetCore.Hosting.Diagnostics", LogLevel.None);
        // Anybody could fill the disk with failures, each with where in the code it was. See Failures, and the access log of the public.
        builder.Logging.AddFilter("Yarp", LogLevel.None);
        // Forwarding never blocks, so it may run where the bytes arrive.
        builder.WebHost.UseSockets(sockets =>
        {
            sockets.CreateBoundListenSocket = listening.Bind;
            sockets.UnsafePreferInlineScheduling = true;
            // One system call less for each request, 4 KiB more for each idle connection.
            sockets.WaitForDataBeforeAllocatingBuffer = false;
        });
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.Services.AddHttpForwarder();
        if (config.Edge?.Metrics is not null)
            builder.Services.AddOpenTelemetry().WithMetrics(m => m.AddMeter(PublicMetrics.MeterName).AddPrometheusExporter());
        return builder;
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
