using System.Collections.Concurrent;
using Mcp.Daemon.Events;
using Mcp.Model.Errors;
using Mcp.Model.Events;
using Mcp.Model.Names;
using Mcp.Model.Routes;

namespace Mcp.Agent.Edge.Certificates;

/// <summary>Has a good certificate there for each public hostname: at once where somebody waits for it, and renewed in time by itself. Says when one comes near its end.</summary>
public sealed class CertificateKeeper(CertificateStore store, ICertificateSource source, EventsTable events, TimeProvider time)
{
    private static readonly TimeSpan s_warning = TimeSpan.FromDays(14);
    private readonly ConcurrentDictionary<Hostname, string> _troubles = new();
    private readonly ConcurrentDictionary<Hostname, string> _warned = new();

    public string Source => source.Name;

    public KeptCertificate? Find(Hostname hostname) => store.Find(hostname);

    /// <summary>What keeps it from getting a certificate; empty: nothing.</summary>
    public string TroubleOf(Hostname hostname) => _troubles.GetValueOrDefault(hostname, "");

    /// <exception cref="McpException">certificate.*, acme.*</exception>
    public async Task EnsureAsync(Hostname hostname, CancellationToken ct)
    {
        if (Good(hostname) is null)
            store.Write(hostname, source.Name, await source.IssueAsync(hostname, ct));
        _troubles.TryRemove(hostname, out _);
    }

    public void Forget(Hostname hostname)
    {
        store.Remove(hostname);
        _troubles.TryRemove(hostname, out _);
        _warned.TryRemove(hostname, out _);
    }

    /// <summary>Removes those of hostnames that have no route.</summary>
    public void KeepOnly(Func<IEnumerable<Hostname>> hostnames) => store.KeepOnly(hostnames);

    /// <summary>Gets what is missing, renews what is due.</summary>
    /// <returns>True: there is a new one.</returns>
    public async Task<bool> RenewAsync(EdgeRoute route, CancellationToken ct)
    {
        var hostname = route.Hostname;
        try
        {
            Warn(route);
            if (await source.RenewAsync(hostname, Good(hostname)?.Leaf, ct) is not { } fresh)
                return false;
            store.Write(hostname, source.Name, fresh);
            _troubles.TryRemove(hostname, out _);
            events.Add(route.Service.Text, "", EventKind.CertificateRenewed, $"{hostname} until {store.Find(hostname)!.Leaf.NotAfter.ToUniversalTime():yyyy-MM-dd HH:mm:ss}Z ({source.Name})");
            return true;
        }
        catch (Exception e) when (e is McpException or IOException && !ct.IsCancellationRequested)
        {
            // Told once for each reason; it is tried again.
            if (_troubles.GetValueOrDefault(hostname) != e.Message)
                events.Add(route.Service.Text, "", EventKind.CertificateFailed, $"{hostname}: {e.Message}");
            _troubles[hostname] = e.Message;
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
        var kind = end <= now ? EventKind.CertificateExpired : end - now < soon ? EventKind.CertificateExpiring : null;
        var told = $"{kind} {leaf.SerialNumber}";
        if (kind is null || _warned.GetValueOrDefault(route.Hostname) == told)
            return;
        _warned[route.Hostname] = told;
        events.Add(route.Service.Text, "", kind, $"{route.Hostname} ends {end:yyyy-MM-dd HH:mm:ss}Z, in {(end - now).TotalDays:0.#} days; {source.Name} gives no new one{(TroubleOf(route.Hostname) is { Length: > 0 } why ? $": {why}" : "")}");
    }

    private KeptCertificate? Good(Hostname hostname) =>
        store.Find(hostname) is { } kept && kept.Source == source.Name && kept.Leaf.NotAfter.ToUniversalTime() > time.GetUtcNow() ? kept : null;
}
