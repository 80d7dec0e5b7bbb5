using System.Net;

namespace Mcp.Daemon.Doors;

/// <summary>A connection's place in its listener. Between <see cref="Begin"/> and <see cref="End"/> it is at work and is not closed to make
/// room.</summary>
public sealed class ConnectionSlot : IDisposable
{
    private readonly ConnectionLimit _limit;
    private readonly Action _end;
    private readonly TimeProvider _time;
    private int _underWay;
    private long _since;

    internal ConnectionSlot(ConnectionLimit limit, IPAddress? source, Action end, TimeProvider time)
    {
        (_limit, Source, _end, _time) = (limit, source, end, time);
        _since = time.GetTimestamp();
    }

    internal IPAddress? Source { get; }

    internal bool IsIdle => Volatile.Read(ref _underWay) == 0;

    internal bool HasAsked { get; private set; }

    /// <summary>When it came, or when its last request ended.</summary>
    internal long Since => Volatile.Read(ref _since);

    /// <summary>A request has begun: of HTTP with its headers, of other protocols when it is known what is wanted.</summary>
    public void Begin()
    {
        Interlocked.Increment(ref _underWay);
        HasAsked = true;
    }

    /// <summary>Something was asked that a new connection may end: it stays one that makes room.</summary>
    public void Ask()
    {
        Volatile.Write(ref _since, _time.GetTimestamp());
        HasAsked = true;
    }

    public void End()
    {
        Volatile.Write(ref _since, _time.GetTimestamp());
        Interlocked.Decrement(ref _underWay);
    }

    public void Dispose() => _limit.Leave(this);

    internal void Close() => _end();
}
