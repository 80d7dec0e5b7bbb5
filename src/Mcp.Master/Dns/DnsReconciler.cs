using System.Net;
using Mcp.Daemon.Operations;
using Mcp.Master.Store;
using Mcp.Model.Definition;

namespace Mcp.Master.Dns;

/// <summary>Keeps the names equal to the placements: sets what is missing or differs, removes what no placement has. Services that are being changed are left alone, and so is what is not mcp's.</summary>
public sealed class DnsReconciler(IDnsProvider provider, MasterStore store, ServiceLocks locks, TimeProvider time)
{
    private static readonly TimeSpan s_period = TimeSpan.FromSeconds(30);
    private string _trouble = "";

    public async Task RunAsync(CancellationToken ct)
    {
        while (!ct.IsCancellationRequested)
        {
            var trouble = "";
            try
            {
                await MendAsync(ct);
            }
            catch (Exception e) when (!ct.IsCancellationRequested)
            {
                trouble = e.Message;
            }

            // Told once, and that it is over.
            if (trouble != _trouble)
                store.Events.Add("", "", trouble.Length > 0 ? "dns.failed" : "dns.well", trouble.Length > 0 ? trouble : provider.Name);
            _trouble = trouble;
            await Task.Delay(s_period, time, ct);
        }
    }

    /// <returns>The names that were set or removed.</returns>
    public async Task<IReadOnlyList<string>> MendAsync(CancellationToken ct)
    {
        var there = (await provider.ListOwnedAsync(ct)).ToDictionary(r => r.Name, r => r.Address);
        var mended = new List<string>();
        foreach (var service in there.Keys.Select(ServiceNames.Owner).Concat(store.Placements.List().Select(p => p.Service)).OfType<Model.Names.Label>().Distinct().ToList())
        {
            using var held = locks.TryTake(service);
            var placement = store.Placements.Find(service);
            // Being changed, or not yet anywhere: its deploy knows better.
            if (held is null || placement is { Node: null })
                continue;
            var wanted = Wanted(placement);
            foreach (var (name, address) in wanted.Where(w => !w.Value.Equals(there.GetValueOrDefault(w.Key))))
            {
                await provider.SetAsync(name, address, ct);
                mended.Add(name);
                store.Events.Add(service.Text, "", "dns.mended", $"{name} is {address}");
            }

            foreach (var name in there.Keys.Where(n => ServiceNames.Owner(n) == service && !wanted.ContainsKey(n)))
            {
                await provider.RemoveAsync(name, ct);
                mended.Add(name);
                store.Events.Add(service.Text, "", "dns.mended", $"{name} is removed");
            }
        }

        return mended;
    }

    private Dictionary<string, IPAddress> Wanted(Placement? placement) => placement?.Node is { } node && store.Nodes.Find(node) is { Address.Length: > 0 } home
        ? ServiceNames.Of(ServiceFile.Parse(placement.Definition, "service file")).ToDictionary(n => n, _ => ServiceNames.Address(home))
        : [];
}
