using System.Net;

namespace Mcp.Daemon.Doors;

/// <summary>
/// How many connections a listener keeps, in all and of one source. One that comes when it is full takes the place of those that ask
/// nothing: first of those that never have, the oldest first; then of those that have been idle longest. Where all are at work, it is
/// refused. That the listener is full is told once in ten minutes, not for each connection.
/// </summary>
/// <param name="listener">For people, such as "DNS over TCP".</param>
/// <param name="ofOneSource">Of one <see cref="Source"/>; null: only <paramref name="most"/> counts.</param>
/// <param name="silence">How long a connection may be there and never have asked anything; null: its owner sees to that.</param>
/// <param name="tell">Where to say that it is full.</param>
public sealed class ConnectionLimit(string listener, int most, int? ofOneSource, TimeSpan? silence, Action<string> tell, TimeProvider time)
{
    // So that a flood does not have all of them looked through for each of its connections.
    private const int PlacesMadeAtOnce = 32;
    private static readonly TimeSpan s_look = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan s_tellAgain = TimeSpan.FromMinutes(10);
    private readonly Lock _lock = new();
    private readonly HashSet<ConnectionSlot> _all = [];
    private readonly Dictionary<IPAddress, HashSet<ConnectionSlot>> _bySource = [];
    private long? _told;
    private ITimer? _sweep;

    public int Count
    {
        get
        {
            lock (_lock)
                return _all.Count;
        }
    }

    /// <param name="from">Null: not from an address, such as a Unix socket; only counted in all.</param>
    /// <param name="end">Closes it. Called when it has to make room; must not wait.</param>
    /// <returns>Its place, to be disposed with it; null: there is none.</returns>
    public ConnectionSlot? Enter(IPAddress? from, Action end)
    {
        var source = from is null || ofOneSource is null ? null : Source.Of(from);
        var slot = new ConnectionSlot(this, source, end, time);
        List<ConnectionSlot> ended = [];
        string? full = null;
        bool entered;
        lock (_lock)
        {
            if (source is not null && _bySource.TryGetValue(source, out var same) && same.Count >= ofOneSource)
                full = Full(same, ended, $"{same.Count} connections of {source}");
            if (_all.Count >= most)
                full = Full(_all, ended, $"{_all.Count} connections");
            entered = _all.Count < most && (source is null || !_bySource.TryGetValue(source, out same) || same.Count < ofOneSource);
            if (entered)
                Add(slot);
        }

        if (full is not null)
            tell(full);
        ended.ForEach(s => s.Close());
        return entered ? slot : null;
    }

    internal void Leave(ConnectionSlot slot)
    {
        lock (_lock)
            Remove(slot);
    }

    // Null: it was told already.
    private string? Full(HashSet<ConnectionSlot> among, List<ConnectionSlot> ended, string what)
    {
        var places = Math.Max(1, among.Count / PlacesMadeAtOnce);
        var idle = among.Where(s => s.IsIdle).OrderBy(s => s.HasAsked).ThenBy(s => s.Since).Take(places).ToList();
        idle.ForEach(Remove);
        ended.AddRange(idle);
        if (_told is { } told && time.GetElapsedTime(told) < s_tellAgain)
            return null;
        _told = time.GetTimestamp();
        return $"{listener}: full with {what}; idle connections are closed for new ones, and if none is idle, new ones are refused";
    }

    private void Sweep()
    {
        List<ConnectionSlot> silent;
        lock (_lock)
        {
            silent = [.. _all.Where(s => s.IsIdle && !s.HasAsked && time.GetElapsedTime(s.Since) > silence)];
            silent.ForEach(Remove);
        }

        silent.ForEach(s => s.Close());
    }

    private void Add(ConnectionSlot slot)
    {
        if (silence is not null)
            _sweep ??= time.CreateTimer(static state => ((ConnectionLimit)state!).Sweep(), this, s_look, s_look);
        _all.Add(slot);
        if (slot.Source is not { } source)
            return;
        if (!_bySource.TryGetValue(source, out var same))
            _bySource[source] = same = [];
        same.Add(slot);
    }

    private void Remove(ConnectionSlot slot)
    {
        _all.Remove(slot);
        if (slot.Source is not { } source || !_bySource.TryGetValue(source, out var same))
            return;
        same.Remove(slot);
        if (same.Count == 0)
            _bySource.Remove(source);
    }
}
