using System.Globalization;
using Mcp.Daemon.Events;
using Mcp.Daemon.Lifecycle;
using Mcp.Model.Events;

namespace Mcp.Daemon.Identity;

/// <summary>Says of everything that ends that it will, once, and once that it has.</summary>
public sealed class ExpiryWatch(EventsTable events, TimeProvider time)
{
    private static readonly TimeSpan s_look = TimeSpan.FromSeconds(10);
    private readonly Troubles _endings = new(
        events, over: EventKind.CertificateRenewed, EventKind.CertificateExpiring, EventKind.CertificateExpired);
    private readonly Troubles _tokens = new(events, over: null, EventKind.TokenExpiring);
    private Func<IEnumerable<Expiry>> _all = () => [];

    public IEnumerable<Expiry> All => _all();

    /// <param name="all">Asked again and again.</param>
    public void Watch(Func<IEnumerable<Expiry>> all) => _all = all;

    public Task RunAsync(CancellationToken ct) => Supervise.EachAsync(s_look, LookAtAll, time, ct);

    /// <summary>Somebody used a token that ends soon.</summary>
    public void Hear(Caller caller)
    {
        // Somebody may have several.
        var token = TroubleKey.Of($"the token of {caller.Name} ends {Day(caller.Expires)}");
        _tokens.Tell(token, "make a new one: mcp-agent token, or mcp-master token");
    }

    private void LookAtAll()
    {
        foreach (var expiry in All)
            Look(expiry);
    }

    private void Look(Expiry expiry)
    {
        var now = time.GetUtcNow();
        var key = TroubleKey.Of(expiry.What);
        if (now >= expiry.End)
            _endings.Tell(key, EventKind.CertificateExpired, $"ended {Day(expiry.End)}; {expiry.Hint}");
        else if (expiry.IsNear(now))
            _endings.Tell(key, EventKind.CertificateExpiring, $"ends {Day(expiry.End)}; {expiry.Hint}");
        else
            _endings.Over(key, $"until {Day(expiry.End)}");
    }

    private static string Day(DateTimeOffset time) => time.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss'Z'", CultureInfo.InvariantCulture);
}
