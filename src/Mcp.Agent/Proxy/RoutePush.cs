using System.Diagnostics;
using System.Net.Sockets;
using Mcp.Agent.Edge.Certificates;
using Mcp.Agent.Ports;
using Mcp.Agent.Registry;
using Mcp.Daemon.Lifecycle;
using Mcp.Machine;
using Mcp.Model.Definition;
using Mcp.Model.Errors;
using Mcp.Model.Events;
using Mcp.Model.Instances;
using Mcp.Model.Names;
using Mcp.Model.Routes;

namespace Mcp.Agent.Proxy;

/// <summary>The agent's side of the node proxy: starts the process, pushes the whole route table, waits for drains.</summary>
public sealed class RoutePush : INodeProxy, IDisposable
{
    private static readonly TimeSpan s_lookAgainAfter = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan s_longestPause = TimeSpan.FromSeconds(5);
    private const string Gone = "the node proxy was gone";
    private const int PushTries = 5;
    private static readonly TimeSpan s_retryAfter = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(10);
    private readonly AgentConfig _config;
    private readonly AgentRegistry _registry;
    private readonly PortAllocator _ports;
    private readonly SemaphoreSlim _pushing = new(1, 1);
    private readonly ControlSockets _sockets;
    private readonly ControlClient _client;
    private readonly ProxyStarter _starter;
    private readonly Succession _succession;
    private readonly ProxyWatch _watch;
    private bool _pushed;

    public RoutePush(AgentConfig config, AgentRegistry registry, PortAllocator ports)
    {
        (_config, _registry, _ports) = (config, registry, ports);
        _sockets = new ControlSockets(config);
        _client = new ControlClient(config, _sockets);
        _starter = new ProxyStarter(config, _sockets);
        _succession = new Succession(config, _client, _starter, registry.Events);
        _watch = new ProxyWatch(config, _sockets);
    }

    /// <inheritdoc/>
    public string? Fault { get; private set; }

    /// <inheritdoc/>
    public async Task PushAsync(CancellationToken ct)
    {
        await _pushing.WaitAsync(ct);
        try
        {
            for (var tries = 1; !await TryPushAsync(last: tries >= PushTries, ct); tries++)
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
        for (var (why, pause) = (Gone, s_lookAgainAfter); !ct.IsCancellationRequested; await Task.Delay(pause, ct))
        {
            try
            {
                await ReplaceAsync(log, ct);
                var gone = !await AnswersAsync(ct);
                if (!_pushed || gone)
                    await PushAsync(ct);
                if (_pushed && gone)
                    _registry.Events.Add("", "", EventKind.ProxyRestarted, why);
                (_pushed, Fault, pause) = (true, null, s_lookAgainAfter);
                log.Over("node proxy");
                why = await EndsAsync(ct);
                // Who comes after it may be another one than was looked at.
                _succession.Again();
            }
            catch (McpException e)
            {
                Fault = e.Message;
                log.WriteOnce("node proxy", e);
                // One that hangs takes connections, and no routes.
                if (e.Code == ErrorCode.ProxyUnreachable && await HangsNowAsync(ct))
                    _watch.Kill();
                pause = pause * 2 < s_longestPause ? pause * 2 : s_longestPause;
            }
        }
    }

    private async Task<bool> HangsNowAsync(CancellationToken ct)
    {
        using var limit = new Within(s_limit, ct);
        try
        {
            await _watch.HangsAsync(limit.Token);
            return true;
        }
        catch (OperationCanceledException) when (limit.IsOver)
        {
            return false;
        }
    }

    // What a push tells the old one meanwhile, the new one might not read any more.
    private async Task ReplaceAsync(FaultLog log, CancellationToken ct)
    {
        if (_succession.Wait != TimeSpan.Zero)
            return;
        await _pushing.WaitAsync(ct);
        try
        {
            if (await _succession.TryAsync(log, ct))
                _pushed = false;
        }
        finally
        {
            _pushing.Release();
        }
    }

    // Why it is not there any more, or that it is to be looked at again.
    private async Task<string> EndsAsync(CancellationToken ct)
    {
        using var both = CancellationTokenSource.CreateLinkedTokenSource(ct);
        var (gone, hangs) = (GoneAsync(both.Token), _watch.HangsAsync(both.Token));
        var first = await Task.WhenAny(gone, hangs, Task.Delay(_succession.Wait, both.Token));
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
                throw new McpException(ErrorCode.ProxyUnreachable, what, $"end it: {_config.ProxyPidFile} may say which process it is");
            }
        }

        return $"it hung and was ended: {await hangs}";
    }

    // An open connection ends the moment the proxy does; after two idle minutes the proxy ends it too.
    private async Task GoneAsync(CancellationToken ct)
    {
        try
        {
            await using var open = await ControlSockets.ConnectAsync(_config.ProxySocket, ct);
            _ = await open.ReadAsync(new byte[1], ct);
        }
        catch (Exception e) when (e is SocketException or IOException)
        {
            // It went in this very moment.
        }
    }

    /// <inheritdoc/>
    public Task<bool> AnswersAsync(CancellationToken ct) => _starter.AnswersAsync(ct);

    /// <inheritdoc/>
    public async Task DrainAsync(InstanceName instance, TimeSpan limit, Draining what, CancellationToken ct)
    {
        using var timer = new Within(limit, ct);
        var question = what == Draining.All ? ProxyControlPaths.InFlight : ProxyControlPaths.Requests;
        try
        {
            foreach (var port in PortsOf(instance))
            {
                while (await _client.AnyAsync(question, port, timer.Token))
                    await Task.Delay(20, timer.Token);
            }
        }
        catch (OperationCanceledException) when (timer.IsOver)
        {
            // What is still under way is ended with the instance.
        }
    }

    // A fixed port is not among those that were allocated, and routes lead there, too.
    private List<int> PortsOf(InstanceName instance)
    {
        var stored = _registry.Components.List(instance.Service).Find(c => c.Instance == instance);
        var routed = stored is null ? [] : stored.Definition.Routes.Select(r => _ports.HostPort(instance, stored.Definition, r.Port));
        return [.. _registry.Ports.Of(instance).Select(p => p.HostPort).Concat(routed).Where(p => p > 0).Distinct()];
    }

    public void Dispose()
    {
        _client.Dispose();
        _pushing.Dispose();
    }

    // A proxy that dies in the middle is started again, and that is no reason to fail a deploy.
    private async Task<bool> TryPushAsync(bool last, CancellationToken ct)
    {
        try
        {
            await _starter.EnsureRunningAsync(ct);
            var (leader, routes) = (_sockets.Leader, Routes());
            await _client.PutAsync(leader, routes, ct);
            if (!await TellOthersAsync(routes, last, ct))
                return false;
            // Another one has taken over meanwhile, for an agent of before this one.
            return _sockets.Leader == leader;
        }
        catch (Exception e) when (e is HttpRequestException || (e is OperationCanceledException && !ct.IsCancellationRequested))
        {
            if (!last)
                return false;
            var what = $"the node proxy does not take routes: {(e.InnerException ?? e).Message}";
            throw new McpException(ErrorCode.ProxyUnreachable, what, "mcp doctor; proxy.log in the agent's state directory says more", e);
        }
    }

    // Their requests go by the same routes until they have ended. One that does not listen any more would send them to instances that are
    // gone.
    private async Task<bool> TellOthersAsync(ProxyRoutes routes, bool last, CancellationToken ct)
    {
        foreach (var other in _sockets.Others())
        {
            try
            {
                await _client.PutAsync(other, routes, ct);
            }
            catch (Exception e) when (e is HttpRequestException or OperationCanceledException && !ct.IsCancellationRequested)
            {
                if (!last)
                    return false;
                _watch.Kill(other);
            }
        }

        return true;
    }

    internal ProxyRoutes Routes()
    {
        var http = new Dictionary<string, ProxyRoute>();
        var passed = new Dictionary<string, ProxyRoute>();
        var holds = _registry.Holds.All();
        var components = _registry.Components.List();
        foreach (var stored in components)
        {
            var held = holds.Contains((stored.Service, stored.Definition.Name));
            foreach (var route in stored.Definition.Routes)
            {
                var isHttp = route.Mode == RouteMode.L7;
                var port = _ports.HostPort(stored.Instance, stored.Definition, route.Port);
                var isStopped = stored.Desired == DesiredState.Stopped;
                var way = new ProxyRoute("", port, PassThrough: !isHttp, held, isHttp ? route.IdleTimeout : null, isStopped);
                var table = isHttp ? http : passed;
                // One in the zone was stored by an older version: it may be another service's name.
                if (route.Hostname is { } hostname && !ZoneNames.Has(_config.Zone, hostname.Text))
                    table[hostname.Text] = way;
                table.TryAdd($"{stored.Definition.Name}.{stored.Service}.{_config.Zone}", way);
                table.TryAdd($"{stored.Service}.{_config.Zone}", way);
            }
        }

        // They are given by mcp: nobody's hostname stands in their way.
        foreach (var (mode, table) in ((RouteMode, Dictionary<string, ProxyRoute>)[])[(RouteMode.L7, http), (RouteMode.L4, passed)])
        {
            foreach (var name in LocalNames.Of(components, mode).Keys)
                table[name] = table[LocalNames.InZone(name, _config.Zone)];
        }

        var certificates =
            from service in components.Select(c => c.Service).Distinct()
            let file = _config.CertificateOf(service)
            where File.Exists(file)
            select new ProxyCertificate($"{service}.{_config.Zone}", file);
        return new ProxyRoutes(
            [.. Listed(http), .. Listed(passed)], [.. certificates], [.. Public()]);
    }

    private static IEnumerable<ProxyRoute> Listed(Dictionary<string, ProxyRoute> routes) =>
        routes.Where(r => r.Value.Port > 0).Select(r => r.Value with { Host = r.Key });

    private IEnumerable<PublicRoute> Public()
    {
        var certificates = new CertificateStore(_config.EdgeCertificates, TimeProvider.System);
        return from route in _config.Edge is null ? [] : _registry.EdgeRoutes.List()
               let certificate = certificates.FileOf(route.Hostname)
               where File.Exists(certificate) && !ZoneNames.Has(_config.Zone, route.Hostname.Text)
               select new PublicRoute(
                   route.Hostname.Text,
                   route.Service.Text,
                   route.Backend.Text,
                   [.. route.Addresses.Select(a => a.ToString())],
                   route.Port,
                   certificate);
    }
}
