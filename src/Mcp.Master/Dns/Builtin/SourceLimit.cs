using System.Collections.Concurrent;
using System.Net;
using Mcp.Daemon.Doors;

namespace Mcp.Master.Dns.Builtin;

/// <summary>How many questions a source may ask in a second over UDP, where anybody can pretend to be anybody: a bucket for each
/// <see cref="Source"/> that fills by itself.</summary>
/// <param name="perSecond">0: no limit.</param>
public sealed class SourceLimit(int perSecond, TimeProvider time)
{
    private const int MostSources = 10_000;
    private readonly ConcurrentDictionary<IPAddress, Bucket> _buckets = new();

    public bool May(IPAddress source)
    {
        if (perSecond == 0)
            return true;
        if (_buckets.Count > MostSources)
            _buckets.Clear();
        return _buckets.GetOrAdd(Source.Of(source), _ => new Bucket(perSecond, time.GetTimestamp())).TryTake(perSecond, time);
    }

    private sealed class Bucket(double left, long since)
    {
        private double _left = left;
        private long _since = since;

        public bool TryTake(int perSecond, TimeProvider time)
        {
            lock (this)
            {
                var now = time.GetTimestamp();
                _left = Math.Min(perSecond, _left + (time.GetElapsedTime(_since, now).TotalSeconds * perSecond));
                _since = now;
                if (_left < 1)
                    return false;
                _left--;
                return true;
            }
        }
    }
}
