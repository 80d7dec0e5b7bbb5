using Mcp.Daemon.Events;
using Mcp.Model.Errors;
using Mcp.Model.Events;
using Mcp.Model.Names;
using Mcp.Model.Routes;

namespace Mcp.Agent.Edge.Certificates;

/// <summary>Has a good certificate there for each public hostname: at once where somebody waits for it, and renewed in time by itself. Says
/// when one comes near its end.</summary>
public sealed class CertificateKeeper(CertificateStore store, ICertificateSource source, EventsTable events, TimeProvider time)
{
    private static readonly TimeSpan s_warning = TimeSpan.FromDays(14);
    private readonly Troubles _troubles = new(events, over: EventKind.CertificateRenewed, EventKind.CertificateFailed);
    private readonly Troubles _endings = new(
        events, over: EventKind.CertificateRenewed, EventKind.CertificateExpiring, EventKind.CertificateExpired);

    public string Source => source.Name;

    public KeptCertificate? Find(Hostname hostname) => store.Find(hostname);

    /// <summary>What keeps it from getting a certificate; empty: nothing.</summary>
    public string TroubleOf(Label service, Hostname hostname) => _troubles.Of(TroubleKey.Of(service, hostname.Text));

    /// <exception cref="McpException">certificate.*, acme.*</exception>
    public async Task EnsureAsync(Label service, Hostname hostname, CancellationToken ct)
    {
        if (Good(hostname) is null)
            store.Write(hostname, source.Name, await source.IssueAsync(hostname, ct));
        _troubles.Over(TroubleKey.Of(service, hostname.Text), Until(hostname));
    }

    public void Forget(Label service, Hostname hostname)
    {
        store.Remove(hostname);
        _troubles.Forget(TroubleKey.Of(service, hostname.Text));
        _endings.Forget(TroubleKey.Of(service, hostname.Text));
    }

    /// <summary>Removes those of hostnames that have no route.</summary>
    public void KeepOnly(Func<IEnumerable<Hostname>> hostnames) => store.KeepOnly(hostnames);

    /// <summary>Gets what is missing, renews what is due.</summary>
    /// <returns>True: there is a new one.</returns>
    public async Task<bool> RenewAsync(EdgeRoute route, CancellationToken ct)
    {
        var hostname = route.Hostname;
        var key = TroubleKey.Of(route.Service, hostname.Text);
        try
        {
            Warn(route);
            if (await source.RenewAsync(hostname, Good(hostname)?.Leaf, ct) is not { } fresh)
                return false;
            store.Write(hostname, source.Name, fresh);
            events.Add(route.Service.Text, "", EventKind.CertificateRenewed, $"{hostname}: {Until(hostname)}");
            _troubles.Forget(key);
            _endings.Forget(key);
            return true;
        }
        catch (Exception e) when (e is McpException or IOException && !ct.IsCancellationRequested)
        {
            _troubles.Tell(key, e.Message);
            return false;
        }
    }

    // A short-lived one is renewed later than two weeks before its end, and that is no trouble.
    private void Warn(EdgeRoute route)
    {
        if (store.Find(route.Hostname)?.Leaf is not { } leaf)
            return;
        var (end, life, now) = (leaf.NotAfter.ToUniversalTime(), leaf.NotAfter - leaf.NotBefore, time.GetUtcNow().UtcDateTime);
        var soon = life / 4 < s_warning ? life / 4 : s_warning;
        if (end - now >= soon)
            return;
        var ended = end <= now;
        var why = $"{(ended ? "ended" : "ends")} {end:yyyy-MM-dd HH:mm:ss}Z; {source.Name} issued no new one";
        var kind = ended ? EventKind.CertificateExpired : EventKind.CertificateExpiring;
        _endings.Tell(TroubleKey.Of(route.Service, route.Hostname.Text), kind, why);
    }

    private string Until(Hostname hostname)
    {
        var end = store.Find(hostname)?.Leaf.NotAfter.ToUniversalTime();
        return $"until {end:yyyy-MM-dd HH:mm:ss}Z ({source.Name})";
    }

    private KeptCertificate? Good(Hostname hostname) =>
        store.Find(hostname) is { } kept && kept.Source == source.Name && kept.Leaf.NotAfter.ToUniversalTime() > time.GetUtcNow()
            ? kept
            : null;
}
