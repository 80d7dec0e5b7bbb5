using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using Mcp.Agent.Edge.Certificates;
using Mcp.Agent.Ports;
using Mcp.Agent.Registry;
using Mcp.Daemon.Lifecycle;
using Mcp.Machine;
using Mcp.Model.Definition;
using Mcp.Model.Errors;
using Mcp.Model.Events;
using Mcp.Model.Names;
using Mcp.Model.Routes;

namespace Mcp.Agent.Proxy;

/// <summary>The agent's side of the node proxy: starts the process, pushes the whole route table, waits for drains.</summary>
public sealed class RoutePush(AgentConfig config, AgentRegistry registry, PortAllocator ports) : INodeProxy, IDisposable
{
    private static readonly TimeSpan s_lookAgainAfter = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan s_longestPause = TimeSpan.FromSeconds(5);
    private const string Gone = "the node proxy was gone";
    private const int PushTries = 5;
    private static readonly TimeSpan s_retryAfter = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(10);
    private readonly SemaphoreSlim _pushing = new(1, 1);
    private readonly ProxyWatch _watch = new(config);
    private bool _pushed;
    private readonly HttpClient _http = new(new SocketsHttpHandler { ConnectCallback = (_, ct) => ConnectAsync(config.ProxySocket, ct) })
    {
        Timeout = TimeSpan.FromSeconds(5),
        BaseAddress = new Uri("http://proxy/"),
    };

    /// <inheritdoc/>
    public string? Fault { get; private set; }

    /// <inheritdoc/>
    public async Task PushAsync(CancellationToken ct)
    {
        await _pushing.WaitAsync(ct);
        try
        {
            for (var tries = 1; !await TryPushAsync(last: tries == PushTries, ct); tries++)
                await Task.Delay(s_retryAfter, ct);
        }
        finally
        {
            _pushing.Release();
        }
    }

    /// <inheritdoc/>
    public async Task KeepAsync(FaultLog log, CancellationToken ct)
    {
        await EndOutdatedAsync(log, ct);
        for (var (why, pause) = (Gone, s_lookAgainAfter); !ct.IsCancellationRequested; await Task.Delay(pause, ct))
        {
            try
            {
                var gone = !await AnswersAsync(ct);
                if (!_pushed || gone)
                    await PushAsync(ct);
                if (_pushed && gone)
                    registry.Events.Add("", "", EventKind.ProxyRestarted, why);
                (_pushed, Fault, pause) = (true, null, s_lookAgainAfter);
                log.Over("node proxy");
                why = await EndsAsync(ct);
            }
            catch (McpException e)
            {
                Fault = e.Message;
                log.WriteOnce("node proxy", e);
                pause = pause * 2 < s_longestPause ? pause * 2 : s_longestPause;
            }
        }
    }

    // Why it is not there any more.
    private async Task<string> EndsAsync(CancellationToken ct)
    {
        using var both = CancellationTokenSource.CreateLinkedTokenSource(ct);
        var (gone, hangs) = (GoneAsync(both.Token), _watch.HangsAsync(both.Token));
        var first = await Task.WhenAny(gone, hangs);
        await both.CancelAsync();
        await Task.WhenAll(gone, hangs).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        ct.ThrowIfCancellationRequested();
        if (first != hangs)
        {
            // It may be another reason than that it is gone.
            await gone.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            return Gone;
        }

        _watch.Kill();
        for (var clock = Stopwatch.StartNew(); await AnswersAsync(ct); await Task.Delay(20, ct))
        {
            if (clock.Elapsed > s_limit)
            {
                var what = $"the node proxy hangs and cannot be ended: {await hangs}";
                throw new McpException(ErrorCode.ProxyUnreachable, what, $"end it: {config.ProxyPidFile} may say which process it is");
            }
        }

        return $"it hung and was ended: {await hangs}";
    }

    // The proxy outlives the agent, and agent.toml may have changed meanwhile.
    private async Task EndOutdatedAsync(FaultLog log, CancellationToken ct)
    {
        if (!File.Exists(config.ProxyOptionsFile))
            return;
        if (await File.ReadAllTextAsync(config.ProxyOptionsFile, ct) == config.ProxyFingerprint || !await AnswersAsync(ct))
            return;
        try
        {
            using var ended = await _http.PostAsync(new Uri("end", UriKind.Relative), null, ct);
            registry.Events.Add("", "", EventKind.ProxyRestarted, "agent.toml has changed");
            using var limit = new Within(s_limit, ct);
            while (await AnswersAsync(limit.Token))
                await Task.Delay(20, limit.Token);
        }
        catch (Exception e) when (e is HttpRequestException or OperationCanceledException && !ct.IsCancellationRequested)
        {
            log.Write("the node proxy does not end for its new options", e);
        }
    }

    // An open connection ends the moment the proxy does; after two idle minutes the proxy ends it too.
    private async Task GoneAsync(CancellationToken ct)
    {
        try
        {
            await using var open = await ConnectAsync(config.ProxySocket, ct);
            _ = await open.ReadAsync(new byte[1], ct);
        }
        catch (Exception e) when (e is SocketException or IOException)
        {
            // It went in this very moment.
        }
    }

    /// <inheritdoc/>
    public async Task<bool> AnswersAsync(CancellationToken ct)
    {
        try
        {
            await (await ConnectAsync(config.ProxySocket, ct)).DisposeAsync();
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    /// <inheritdoc/>
    public async Task DrainAsync(InstanceName instance, TimeSpan limit, Draining what, CancellationToken ct)
    {
        using var timer = new Within(limit, ct);
        var question = what == Draining.All ? ProxyControlPaths.InFlight : ProxyControlPaths.Requests;
        try
        {
            foreach (var port in PortsOf(instance))
            {
                while (await _http.GetStringAsync(new Uri($"{question}{port}", UriKind.Relative), timer.Token) != "0")
                    await Task.Delay(20, timer.Token);
            }
        }
        catch (Exception e) when (e is HttpRequestException or OperationCanceledException && !ct.IsCancellationRequested)
        {
            // The limit, or the proxy is gone and its connections with it.
        }
    }

    // A fixed port is not among those that were allocated, and routes lead there, too.
    private List<int> PortsOf(InstanceName instance)
    {
        var stored = registry.Components.List(instance.Service).Find(c => c.Instance == instance);
        var routed = stored is null ? [] : stored.Definition.Routes.Select(r => ports.HostPort(instance, stored.Definition, r.Port));
        return [.. registry.Ports.Of(instance).Select(p => p.HostPort).Concat(routed).Where(p => p > 0).Distinct()];
    }

    public void Dispose()
    {
        _http.Dispose();
        _pushing.Dispose();
    }

    // A proxy that dies in the middle is started again, and that is no reason to fail a deploy.
    private async Task<bool> TryPushAsync(bool last, CancellationToken ct)
    {
        try
        {
            await EnsureRunningAsync(ct);
            var routes = new Uri("routes", UriKind.Relative);
            using var response = await _http.PutAsJsonAsync(routes, Routes(), ProxyJson.Default.ProxyRoutes, ct);
            response.EnsureSuccessStatusCode();
            return true;
        }
        catch (Exception e) when (e is HttpRequestException || (e is OperationCanceledException && !ct.IsCancellationRequested))
        {
            if (!last)
                return false;
            var what = $"the node proxy does not take routes: {(e.InnerException ?? e).Message}";
            throw new McpException(ErrorCode.ProxyUnreachable, what, "mcp doctor; proxy.log in the agent's state directory says more", e);
        }
    }

    internal ProxyRoutes Routes()
    {
        var http = new Dictionary<string, ProxyRoute>();
        var passed = new Dictionary<string, ProxyRoute>();
        var holds = registry.Holds.All();
        var components = registry.Components.List();
        foreach (var stored in components)
        {
            var held = holds.Contains((stored.Service, stored.Definition.Name));
            foreach (var route in stored.Definition.Routes)
            {
                var isHttp = route.Mode == RouteMode.L7;
                var port = ports.HostPort(stored.Instance, stored.Definition, route.Port);
                var way = new ProxyRoute("", port, PassThrough: !isHttp, held, isHttp ? route.IdleTimeout : null);
                var table = isHttp ? http : passed;
                // One in the zone was stored by an older version: it may be another service's name.
                if (route.Hostname is { } hostname && !ZoneNames.Has(config.Zone, hostname.Text))
                    table[hostname.Text] = way;
                table.TryAdd($"{stored.Definition.Name}.{stored.Service}.{config.Zone}", way);
                table.TryAdd($"{stored.Service}.{config.Zone}", way);
            }
        }

        var certificates =
            from service in components.Select(c => c.Service).Distinct()
            let file = config.CertificateOf(service)
            where File.Exists(file)
            select new ProxyCertificate($"{service}.{config.Zone}", file);
        return new ProxyRoutes(
            [.. Listed(http), .. Listed(passed)], [.. certificates], [.. Public()]);
    }

    private static IEnumerable<ProxyRoute> Listed(Dictionary<string, ProxyRoute> routes) =>
        routes.Where(r => r.Value.Port > 0).Select(r => r.Value with { Host = r.Key });

    private IEnumerable<PublicRoute> Public()
    {
        var certificates = new CertificateStore(config.EdgeCertificates, TimeProvider.System);
        return from route in config.Edge is null ? [] : registry.EdgeRoutes.List()
               let certificate = certificates.FileOf(route.Hostname)
               where File.Exists(certificate) && !ZoneNames.Has(config.Zone, route.Hostname.Text)
               select new PublicRoute(
                   route.Hostname.Text,
                   route.Service.Text,
                   route.Backend.Text,
                   [.. route.Addresses.Select(a => a.ToString())],
                   route.Port,
                   certificate);
    }

    private async Task EnsureRunningAsync(CancellationToken ct)
    {
        if (await AnswersAsync(ct))
            return;
        var launcher = Detached.Launcher(Path.Combine(config.State, "proxy.log"));
        var start = new ProcessStartInfo(launcher[0]) { RedirectStandardInput = true };
        foreach (var argument in (IEnumerable<string>)[.. launcher.Skip(1), Environment.ProcessPath!, "proxy", "--config", config.File])
            start.ArgumentList.Add(argument);
        // Measured with bench/peers/proxy: a request then costs a fifth less CPU.
        start.Environment["DOTNET_SYSTEM_NET_SOCKETS_INLINE_COMPLETIONS"] = "1";
        start.Environment["DOTNET_ThreadPool_UnfairSemaphoreSpinLimit"] = "0";
        using var process = Process.Start(start) ?? throw new McpException(ErrorCode.ProxyStart, "the node proxy did not start");
        process.StandardInput.Close();
        using var limit = new Within(s_limit, ct);
        while (!await AnswersAsync(limit.Token))
        {
            if (process.HasExited)
                throw Ended(process.ExitCode);
            await Task.Delay(10, limit.Token);
        }
    }

    private McpException Ended(int exitCode)
    {
        if (PortsTaken.Of(config).ToList() is { Count: > 0 } taken)
        {
            return new McpException(
                ErrorCode.ProxyStart,
                $"the node proxy cannot listen: {string.Join("; ", taken)}",
                $"end that program, or write another address into {config.File}");
        }

        var what = string.Create(CultureInfo.InvariantCulture, $"the node proxy ended with exit code {exitCode}");
        return new McpException(ErrorCode.ProxyStart, what, $"{Path.Combine(config.State, "proxy.log")} says why");
    }

    private static async ValueTask<Stream> ConnectAsync(string path, CancellationToken ct)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(path), ct);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}
