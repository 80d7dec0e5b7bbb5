using System.Collections.Concurrent;
using System.Globalization;
using Mcp.Daemon.Events;
using Mcp.Model.Events;

namespace Mcp.Daemon.Identity;

/// <summary>Says of everything that ends that it will, once, and once that it has.</summary>
public sealed class ExpiryWatch(EventsTable events, TimeProvider time)
{
    private const int MostTokens = 1000;
    private static readonly TimeSpan s_look = TimeSpan.FromSeconds(10);
    private readonly ConcurrentDictionary<string, string> _told = new();
    private readonly ConcurrentDictionary<(string, DateTimeOffset), bool> _tokens = new();
    private Func<IEnumerable<Expiry>> _all = () => [];

    public IEnumerable<Expiry> All => _all();

    /// <param name="all">Asked again and again.</param>
    public void Watch(Func<IEnumerable<Expiry>> all) => _all = all;

    public async Task RunAsync(CancellationToken ct)
    {
        while (!ct.IsCancellationRequested)
        {
            foreach (var expiry in All)
                Look(expiry);
            await Task.Delay(s_look, time, ct);
        }
    }

    /// <summary>Somebody used a token that ends soon.</summary>
    public void Hear(Caller caller)
    {
        if (_tokens.Count >= MostTokens)
            _tokens.Clear();
        if (_tokens.TryAdd((caller.Name, caller.Expires), true))
            events.Add("", "", EventKind.TokenExpiring, $"the token of {caller.Name} ends {Day(caller.Expires)}; make a new one: mcp-agent token, or mcp-master token");
    }

    private void Look(Expiry expiry)
    {
        var now = time.GetUtcNow();
        var kind = now >= expiry.End ? EventKind.CertificateExpired : expiry.IsNear(now) ? EventKind.CertificateExpiring : null;
        var told = $"{kind} {Day(expiry.End)}";
        if (kind is null || _told.GetValueOrDefault(expiry.What) == told)
            return;
        _told[expiry.What] = told;
        events.Add("", "", kind, $"{expiry.What}: {(now >= expiry.End ? "ended" : "ends")} {Day(expiry.End)}; {expiry.Hint}");
    }

    private static string Day(DateTimeOffset time) => time.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss'Z'", CultureInfo.InvariantCulture);
}
