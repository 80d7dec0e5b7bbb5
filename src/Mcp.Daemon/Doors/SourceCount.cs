using System.Net;

namespace Mcp.Daemon.Doors;

/// <summary>How much is under way, in all and of each <see cref="Source"/>. What comes from this machine, where a proxy may stand in front,
/// is only counted in all.</summary>
/// <param name="most">Null: only <paramref name="ofOneSource"/> counts.</param>
public sealed class SourceCount(int? most, int ofOneSource)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<IPAddress, int> _bySource = [];
    private int _all;

    /// <summary>How many sources have something under way.</summary>
    public int Sources
    {
        get
        {
            lock (_lock)
                return _bySource.Count;
        }
    }

    /// <returns>False: it is too much, and is not to <see cref="Leave"/>.</returns>
    public bool TryEnter(IPAddress? from)
    {
        var source = Of(from);
        lock (_lock)
        {
            var same = source is null ? 0 : _bySource.GetValueOrDefault(source);
            if (_all >= most || same >= ofOneSource)
                return false;
            _all++;
            if (source is not null)
                _bySource[source] = same + 1;
            return true;
        }
    }

    public void Leave(IPAddress? from)
    {
        var source = Of(from);
        lock (_lock)
        {
            _all--;
            if (source is null)
                return;
            if (--_bySource[source] == 0)
                _bySource.Remove(source);
        }
    }

    private static IPAddress? Of(IPAddress? from) => from is null || IPAddress.IsLoopback(from) ? null : Source.Of(from);
}
