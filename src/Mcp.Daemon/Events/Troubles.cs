using Mcp.Daemon.Doors;
using Mcp.Model.Events;
using Mcp.Model.Names;

namespace Mcp.Daemon.Events;

/// <summary>What a trouble is of.</summary>
/// <param name="Service">Empty: of no service.</param>
/// <param name="Component">Empty: of the whole service.</param>
/// <param name="About">Which one of several, such as a hostname; stands before the reason. Has no ": ". Empty: there is only one.</param>
public readonly record struct TroubleKey(string Service, string Component, string About)
{
    private const string Mark = ": ";

    public static TroubleKey Of(Label service) => new(service.Text, "", "");

    public static TroubleKey Of(Label service, string about) => new(service.Text, "", about);

    public static TroubleKey Of(InstanceName instance) => new(instance.Service.Text, instance.Component.Text, instance.ToString());

    public static TroubleKey Of(string about) => new("", "", about);

    internal static TroubleKey Of(KeptEvent happened)
    {
        var mark = happened.Detail.IndexOf(Mark, StringComparison.Ordinal);
        return new TroubleKey(happened.Service, happened.Component, mark < 0 ? happened.Detail : happened.Detail[..mark]);
    }

    /// <summary>Of an event: what a person reads.</summary>
    internal string Detail(string why) => Texts.Cut(About.Length == 0 || why.Length == 0 ? About + why : About + Mark + why);

    internal string WhyOf(string detail)
    {
        var before = About.Length == 0 ? "" : About + Mark;
        return detail.StartsWith(before, StringComparison.Ordinal) ? detail[before.Length..] : detail;
    }
}

/// <summary>What is wrong just now. Each trouble is told once: when it begins, when its reason changes, and when it is over.
/// The events are the record: what a program told before it was started again it does not tell anew.</summary>
/// <param name="over">Written when a trouble is over, here or by whoever ended it; null: these never end.</param>
/// <param name="kinds">What troubles are told as; the first one unless another is named.</param>
public sealed class Troubles(EventsTable events, EventKind? over, params EventKind[] kinds)
{
    // Beyond that what was told is looked up among the events again.
    private const int MostKept = 10_000;
    private readonly Lock _lock = new();
    private readonly Dictionary<TroubleKey, string> _now = [];
    private Dictionary<TroubleKey, KeptEvent>? _told;

    /// <summary>Why; empty: nothing is wrong.</summary>
    public string Of(TroubleKey key)
    {
        lock (_lock)
            return key.WhyOf(Now(key));
    }

    public void Tell(TroubleKey key, string why) => Tell(key, kinds[0], why);

    /// <param name="kind">One of the kinds of these troubles.</param>
    public void Tell(TroubleKey key, EventKind kind, string why)
    {
        var detail = key.Detail(why);
        lock (_lock)
        {
            if (Now(key) == detail)
                return;
            events.Add(key.Service, key.Component, kind, detail);
            _now[key] = detail;
        }
    }

    /// <summary>It is over: told if there was a trouble.</summary>
    /// <param name="how">For people; may be empty.</param>
    public void Over(TroubleKey key, string how = "")
    {
        lock (_lock)
        {
            if (Now(key).Length == 0)
                return;
            if (over is not null)
                events.Add(key.Service, key.Component, over, key.Detail(how));
            _now[key] = "";
        }
    }

    /// <summary>It is over, and somebody else says so.</summary>
    public void Forget(TroubleKey key)
    {
        lock (_lock)
            _now[key] = "";
    }

    /// <summary>Those that are not among these are over.</summary>
    public void OverExcept(IReadOnlySet<TroubleKey> still, string how = "")
    {
        lock (_lock)
        {
            foreach (var key in _now.Where(n => n.Value.Length > 0 && !still.Contains(n.Key)).Select(n => n.Key).ToList())
                Over(key, how);
        }
    }

    // Under the lock.
    private string Now(TroubleKey key)
    {
        if (_now.TryGetValue(key, out var known))
            return known;
        if (_now.Count >= MostKept)
        {
            _now.Clear();
            _told = null;
        }

        _told ??= Read();
        return _now[key] = _told.TryGetValue(key, out var last) && last.Kind != over ? last.Detail : "";
    }

    // The newest of each.
    private Dictionary<TroubleKey, KeptEvent> Read()
    {
        var told = new Dictionary<TroubleKey, KeptEvent>();
        foreach (var happened in events.Of([.. kinds, .. over is null ? [] : (EventKind[])[over]]))
        {
            told[TroubleKey.Of(happened)] = happened;
            // There is only one of this service or component, whatever its reason.
            told[TroubleKey.Of(happened) with { About = "" }] = happened;
        }

        return told;
    }
}
