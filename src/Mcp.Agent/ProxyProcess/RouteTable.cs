using System.Collections.Frozen;
using Mcp.Agent.Proxy;
using Mcp.Agent.ProxyProcess.Passing;
using Mcp.Machine;
using Route = Mcp.Model.Definition.Route;

namespace Mcp.Agent.ProxyProcess;

/// <summary>An instance's port with the requests that are on their way to it.</summary>
internal sealed class Backend(int port)
{
    private int _inFlight;
    private int _sockets;

    public int Port => port;

    public string Prefix { get; } = $"http://127.0.0.1:{port}";

    public int InFlight => Volatile.Read(ref _inFlight);

    /// <summary>The same without WebSockets.</summary>
    public int Requests => InFlight - Volatile.Read(ref _sockets);

    public void BeginSocket() => Interlocked.Increment(ref _sockets);

    public void EndSocket() => Interlocked.Decrement(ref _sockets);

    public void Enter() => Interlocked.Increment(ref _inFlight);

    public void Leave() => Interlocked.Decrement(ref _inFlight);
}

/// <summary>Where a route leads.</summary>
internal sealed class RouteTarget(Backend backend, bool held, Forwarding forwarding, bool stopped)
{
    private int _waiting;

    public Backend Backend => backend;

    /// <summary>Its instance is being replaced.</summary>
    public bool Held => held;

    public Forwarding Forwarding => forwarding;

    /// <summary>Nothing is wanted to run there.</summary>
    public bool Stopped => stopped;

    /// <summary>False: as many wait as may.</summary>
    public bool TryWait(int most) => Interlocked.Increment(ref _waiting) <= most || LeaveWait();

    public bool LeaveWait()
    {
        Interlocked.Decrement(ref _waiting);
        return false;
    }
}

/// <param name="Backend">Entered: the caller leaves it. Null: there is none.</param>
/// <param name="Held">The route is held, and waiting came to nothing.</param>
/// <param name="Forwarding">How to pass on to the backend.</param>
/// <param name="Stopped">There is a route, and nothing is wanted to run there.</param>
internal readonly record struct Found(Backend? Backend, bool Held, Forwarding? Forwarding = null, bool Stopped = false);

/// <summary>The routes in force, swapped as one. A backend that no route names any more is remembered while requests are on their way to
/// it.</summary>
/// <param name="holdLimit">How long a request waits at a held route; null: 15 s.</param>
internal sealed class RouteTable(TimeSpan? holdLimit = null)
{
    /// <summary>Requests and connections that wait at one held route.</summary>
    public const int MostWaiting = 1000;

    private static readonly TimeSpan s_holdLimit = TimeSpan.FromSeconds(15);
    private readonly TimeSpan _holdLimit = holdLimit ?? s_holdLimit;
    private readonly Lock _lock = new();
    private readonly Dictionary<int, Backend> _backends = [];
    private volatile InForce _inForce = new(FrozenDictionary<string, RouteTarget>.Empty, FrozenDictionary<string, RouteTarget>.Empty);
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>The backend of a host, entered. At a held route it waits for the next instance.</summary>
    public ValueTask<Found> EnterAsync(string host, CancellationToken ct) => EnterAsync(host, passThrough: false, ct);

    /// <summary>The same by the server name of a TLS connection that is not ended here.</summary>
    public ValueTask<Found> EnterPassThroughAsync(string sni, CancellationToken ct) => EnterAsync(sni, passThrough: true, ct);

    public void Replace(ProxyRoutes routes)
    {
        lock (_lock)
        {
            foreach (var idle in _backends.Values.Where(b => b.InFlight == 0 && routes.Routes.All(r => r.Port != b.Port)).ToList())
                _backends.Remove(idle.Port);
            foreach (var port in routes.Routes.Select(r => r.Port).Where(p => !_backends.ContainsKey(p)))
                _backends[port] = new Backend(port);
            _inForce = new InForce(Table(routes.Routes.Where(r => !r.PassThrough)), Table(routes.Routes.Where(r => r.PassThrough)));
            Interlocked.Exchange(ref _changed, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).SetResult();
        }
    }

    public int InFlight(int port)
    {
        lock (_lock)
        {
            return _backends.GetValueOrDefault(port)?.InFlight ?? 0;
        }
    }

    /// <summary>Without WebSockets.</summary>
    public int Requests(int port)
    {
        lock (_lock)
        {
            return _backends.GetValueOrDefault(port)?.Requests ?? 0;
        }
    }

    private ValueTask<Found> EnterAsync(string host, bool passThrough, CancellationToken ct)
    {
        var target = Find(host, passThrough);
        if (target is null)
            return ValueTask.FromResult(new Found(null, false));
        if (target is { Stopped: true, Held: false })
            return ValueTask.FromResult(new Found(null, false, Stopped: true));
        return TryEnter(target, host, passThrough)
            ? ValueTask.FromResult(new Found(target.Backend, false, target.Forwarding))
            : WaitAsync(host, passThrough, ct);
    }

    private async ValueTask<Found> WaitAsync(string host, bool passThrough, CancellationToken ct)
    {
        using var limit = new Within(_holdLimit, ct);
        while (true)
        {
            var changed = Volatile.Read(ref _changed).Task;
            if (Find(host, passThrough) is not { } target)
                return new Found(null, false);
            if (target is { Stopped: true, Held: false })
                return new Found(null, false, Stopped: true);
            if (TryEnter(target, host, passThrough))
                return new Found(target.Backend, false, target.Forwarding);
            if (!target.TryWait(MostWaiting))
                return new Found(null, true);
            try
            {
                await changed.WaitAsync(limit.Token);
            }
            catch (OperationCanceledException) when (limit.IsOver)
            {
                return new Found(null, true);
            }
            finally
            {
                target.LeaveWait();
            }
        }
    }

    // Counted first and looked at again then: either whoever drains the instance sees this request, or this request sees the hold.
    private bool TryEnter(RouteTarget target, string host, bool passThrough)
    {
        if (target.Held)
            return false;
        target.Backend.Enter();
        if (Find(host, passThrough) is { Held: false } now && now.Backend == target.Backend)
            return true;
        target.Backend.Leave();
        return false;
    }

    private RouteTarget? Find(string host, bool passThrough)
    {
        var now = _inForce;
        return (passThrough ? now.BySni : now.ByHost).GetValueOrDefault(host);
    }

    private FrozenDictionary<string, RouteTarget> Table(IEnumerable<ProxyRoute> routes) =>
        routes.ToFrozenDictionary(r => r.Host, Target, StringComparer.OrdinalIgnoreCase);

    private RouteTarget Target(ProxyRoute route) =>
        new(_backends[route.Port], route.Held, new Forwarding(route.Idle ?? Route.UsualIdleTimeout), route.Stopped);

    private sealed record InForce(FrozenDictionary<string, RouteTarget> ByHost, FrozenDictionary<string, RouteTarget> BySni);
}
