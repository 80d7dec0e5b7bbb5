using Mcp.Agent.Edge.Certificates;
using Mcp.Agent.Proxy;
using Mcp.Agent.Registry;
using Mcp.Daemon.Events;
using Mcp.Daemon.Lifecycle;
using Mcp.Daemon.Operations;
using Mcp.Model.Errors;
using Mcp.Model.Events;
using Mcp.Model.Histories;
using Mcp.Model.Names;
using Mcp.Model.Routes;

namespace Mcp.Agent.Edge;

/// <summary>The public hostnames of this edge node: set up and removed by the master's word, kept over restarts, their backends looked up
/// again and again.</summary>
/// <param name="certificates">Null: this is no edge node.</param>
public sealed class EdgeRoutes(
    AgentConfig config,
    AgentRegistry registry,
    CertificateKeeper? certificates,
    INodeProxy proxy,
    ServiceLocks locks,
    TimeProvider time)
{
    private static readonly TimeSpan s_lookAgain = TimeSpan.FromSeconds(5);
    private readonly Troubles _troubles = new(registry.Events, over: EventKind.EdgeWell, EventKind.EdgeFailed, EventKind.EdgeRefused);

    public IReadOnlyList<EdgeRoute> All => registry.EdgeRoutes.List();

    public CertificateKeeper? Certificates => certificates;

    /// <summary>What is wrong with it; empty: nothing.</summary>
    public string ProblemOf(EdgeRoute route) => _troubles.Of(KeyOf(route.Service, route.Hostname)) is { Length: > 0 } trouble
        ? trouble
        : certificates?.TroubleOf(route.Service, route.Hostname) ?? "";

    /// <summary>Looks the backend up, insists on the overlay, gets a certificate, lets the requests in. Safe to repeat; what fails leaves
    /// nothing new.</summary>
    /// <param name="backend">https://SERVICE.zone:PORT</param>
    /// <param name="number">Of the master's requests for the service.</param>
    /// <exception cref="McpException">edge.*, certificate.*, acme.*, route.zone, request.superseded</exception>
    public async Task<EdgeRoute> SetupAsync(
        Hostname hostname,
        Label service,
        string backend,
        string resolver,
        RequestNumber? number,
        CancellationToken ct)
    {
        ZoneNames.Check(config.Zone, hostname);
        var (options, keeper) = Edge();
        var (name, port) = Parse(service, backend);
        using var held = await locks.TakeAsync(service, ct);
        registry.Sequences.Pass(service, number);
        var before = registry.EdgeRoutes.Find(hostname);
        if (before is not null && before.Service != service)
        {
            throw new McpException(
                ErrorCode.EdgeTaken,
                $"{hostname} is the route of the service {before.Service} here",
                "undeploy that one first");
        }

        var route = new EdgeRoute(
            hostname, service, name, port, resolver, options.Overlay.Insist(name.Text, await BackendNames.LookUpAsync(name, resolver, ct)));
        try
        {
            // The route first: a certificate without one is swept away.
            registry.EdgeRoutes.Set(route);
            await keeper.EnsureAsync(service, hostname, ct);
            await proxy.PushAsync(ct);
        }
        catch
        {
            await BackAsync(service, hostname, before, keeper);
            throw;
        }

        _troubles.Over(KeyOf(service, hostname));
        var kind = before is null ? EventKind.EdgeUp : EventKind.EdgeMoved;
        registry.Events.Add(service.Text, "", kind, $"{hostname} -> {name} ({string.Join(", ", route.Addresses)})");
        return route;
    }

    /// <summary>Route, certificate and key. Safe to repeat; one of another service stays.</summary>
    /// <returns>False: there was none.</returns>
    /// <exception cref="McpException">proxy.*, request.superseded</exception>
    public async Task<bool> RemoveAsync(Hostname hostname, Label service, RequestNumber? number, CancellationToken ct)
    {
        using var held = await locks.TakeAsync(service, ct);
        registry.Sequences.Pass(service, number);
        if (registry.EdgeRoutes.Find(hostname) is not { } there || there.Service != service)
            return false;
        registry.EdgeRoutes.Remove(hostname);
        certificates?.Forget(service, hostname);
        _troubles.Forget(KeyOf(service, hostname));
        await proxy.PushAsync(ct);
        registry.Events.Add(service.Text, "", EventKind.EdgeDown, hostname.Text);
        return true;
    }

    /// <summary>Follows the backends' names and keeps the certificates, until cancelled.</summary>
    public Task RunAsync(CancellationToken ct) => config.Edge is { } options && certificates is { } keeper
        ? Supervise.EachAsync(s_lookAgain, t => LookAsync(options, keeper, t), time, ct)
        : Task.CompletedTask;

    private async Task LookAsync(EdgeOptions options, CertificateKeeper keeper, CancellationToken ct)
    {
        keeper.KeepOnly(() => All.Select(r => r.Hostname));
        var changed = false;
        foreach (var route in All)
        {
            // Somebody is changing it right now.
            using var held = locks.TryTake(route.Service);
            if (held is null || registry.EdgeRoutes.Find(route.Hostname) is not { } now)
                continue;
            changed |= await FollowAsync(now, options, ct) | await keeper.RenewAsync(now, ct);
        }

        if (changed)
            await proxy.PushAsync(ct);
    }

    // What the name stands for now, if that may be; else what it stood for.
    private async Task<bool> FollowAsync(EdgeRoute route, EdgeOptions options, CancellationToken ct)
    {
        try
        {
            var addresses = options.Overlay.Insist(route.Backend.Text, await BackendNames.LookUpAsync(route.Backend, route.Resolver, ct));
            _troubles.Over(KeyOf(route.Service, route.Hostname));
            if (addresses.SequenceEqual(route.Addresses))
                return false;
            registry.EdgeRoutes.Set(route with { Addresses = addresses });
            return true;
        }
        catch (McpException e)
        {
            var kind = e.Code == ErrorCode.EdgeOutside ? EventKind.EdgeRefused : EventKind.EdgeFailed;
            _troubles.Tell(KeyOf(route.Service, route.Hostname), kind, $"{e.Message}; it stays at {string.Join(", ", route.Addresses)}");
            return false;
        }
    }

    private static TroubleKey KeyOf(Label service, Hostname hostname) => TroubleKey.Of(service, hostname.Text);

    private async Task BackAsync(Label service, Hostname hostname, EdgeRoute? before, CertificateKeeper keeper)
    {
        if (before is null)
        {
            registry.EdgeRoutes.Remove(hostname);
            keeper.Forget(service, hostname);
        }
        else
        {
            registry.EdgeRoutes.Set(before);
        }

        // A proxy that is away gets the routes as they are when it is back.
        await proxy.PushAsync(CancellationToken.None).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private (EdgeOptions Options, CertificateKeeper Certificates) Edge() => config.Edge is { } options && certificates is not null
        ? (options, certificates)
        : throw new McpException(
            ErrorCode.EdgeOff,
            $"{config.Name} is not an edge node",
            $"write [edge] into {config.File} and restart the agent");

    private (Hostname Name, int Port) Parse(Label service, string backend)
    {
        if (!Uri.TryCreate(backend, UriKind.Absolute, out var url) || url.Scheme != Uri.UriSchemeHttps)
        {
            throw new McpException(
                ErrorCode.EdgeCleartext,
                $"the backend '{Label.Clip(backend)}' is not reached over TLS",
                "https://SERVICE.zone:PORT");
        }

        return url.Host == $"{service}.{config.Zone}" && Hostname.TryParse(url.Host, out var name)
            ? (name, url.Port)
            : throw new McpException(
                ErrorCode.EdgeBackend,
                $"the backend of {service} is {service}.{config.Zone}, not '{Label.Clip(url.Host)}'",
                "is zone the same in master.toml and in this node's agent.toml?");
    }
}
