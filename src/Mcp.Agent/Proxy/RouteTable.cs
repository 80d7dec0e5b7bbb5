using System.Collections.Frozen;

namespace Mcp.Agent.Proxy;

/// <summary>An instance's port with the requests that are on their way to it.</summary>
internal sealed class Backend(int port)
{
    private int _inFlight;

    public int Port => port;

    public string Prefix { get; } = $"http://127.0.0.1:{port}";

    public int InFlight => Volatile.Read(ref _inFlight);

    public void Enter() => Interlocked.Increment(ref _inFlight);

    public void Leave() => Interlocked.Decrement(ref _inFlight);
}

/// <summary>The routes in force, swapped as one. A backend that no route names any more is remembered while requests are on their way to it.</summary>
internal sealed class RouteTable
{
    private readonly Lock _lock = new();
    private readonly Dictionary<int, Backend> _backends = [];
    private FrozenDictionary<string, Backend> _byHost = FrozenDictionary<string, Backend>.Empty;
    private FrozenDictionary<string, Backend> _bySni = FrozenDictionary<string, Backend>.Empty;

    public Backend? Find(string host) => Volatile.Read(ref _byHost).GetValueOrDefault(host);

    public Backend? FindPassThrough(string sni) => Volatile.Read(ref _bySni).GetValueOrDefault(sni);

    public void Replace(ProxyRoutes routes)
    {
        lock (_lock)
        {
            foreach (var idle in _backends.Values.Where(b => b.InFlight == 0 && routes.Routes.All(r => r.Port != b.Port)).ToList())
                _backends.Remove(idle.Port);
            foreach (var port in routes.Routes.Select(r => r.Port).Where(p => !_backends.ContainsKey(p)))
                _backends[port] = new Backend(port);
            Volatile.Write(ref _byHost, Table(routes.Routes.Where(r => !r.PassThrough)));
            Volatile.Write(ref _bySni, Table(routes.Routes.Where(r => r.PassThrough)));
        }
    }

    private FrozenDictionary<string, Backend> Table(IEnumerable<ProxyRoute> routes) => routes.ToFrozenDictionary(r => r.Host, r => _backends[r.Port], StringComparer.OrdinalIgnoreCase);

    public int InFlight(int port)
    {
        lock (_lock)
        {
            return _backends.GetValueOrDefault(port)?.InFlight ?? 0;
        }
    }
}
