using System.Net;
using Mcp.Daemon.Errors;
using Mcp.Daemon.Events;
using Mcp.Daemon.Lifecycle;
using Mcp.Daemon.Operations;
using Mcp.Master.Store;
using Mcp.Model.Errors;
using Mcp.Model.Events;
using Mcp.Model.Names;

namespace Mcp.Master.Dns;

/// <summary>Keeps the names equal to the placements: sets what is missing or differs, removes what no placement has. Services that are
/// being changed are left alone, and so is what is not mcp's.</summary>
public sealed class DnsReconciler(IDnsProvider provider, MasterStore store, ServiceLocks locks, TimeProvider time)
{
    private static readonly TimeSpan s_period = TimeSpan.FromSeconds(30);
    private static readonly TroubleKey s_names = TroubleKey.Of("");
    private readonly Troubles _troubles = new(store.Events, over: EventKind.DnsWell, EventKind.DnsFailed);

    public Task RunAsync(CancellationToken ct) => Supervise.EachAsync(s_period, RoundAsync, time, ct);

    private async Task RoundAsync(CancellationToken ct)
    {
        try
        {
            await MendAsync(ct);
            _troubles.Over(s_names, provider.Name);
        }
        catch (Exception e) when (!ct.IsCancellationRequested)
        {
            _troubles.Tell(s_names, FailureText.Of(e));
        }
    }

    /// <returns>The names that were set or removed.</returns>
    public async Task<IReadOnlyList<string>> MendAsync(CancellationToken ct)
    {
        var there = (await provider.ListOwnedAsync(ct)).ToDictionary(r => r.Name, r => r.Address);
        var mended = new List<string>();
        McpException? first = null;
        foreach (var service in there.Keys.Select(ServiceNames.Owner)
            .Concat(store.Placements.List().Select(p => p.Service))
            .OfType<Label>()
            .Distinct()
            .ToList())
        {
            using var held = locks.TryTake(service);
            var placement = store.Placements.Find(service);
            // Being changed, or not yet anywhere: its deploy knows better.
            if (held is null || placement is { Node: null } || Wanted(placement) is not { } wanted)
                continue;
            try
            {
                await MendAsync(service, wanted, there, mended, ct);
            }
            catch (McpException e) when (e.Code != ErrorCode.DnsUnreachable)
            {
                // A name that cannot be had keeps no other service from its own.
                first ??= e;
            }
        }

        return first is null ? mended : throw first;
    }

    private async Task MendAsync(
        Label service,
        Dictionary<string, IPAddress> wanted,
        Dictionary<string, IPAddress> there,
        List<string> mended,
        CancellationToken ct)
    {
        foreach (var (name, address) in wanted.Where(w => !w.Value.Equals(there.GetValueOrDefault(w.Key))))
        {
            await provider.SetAsync(name, address, ct);
            mended.Add(name);
            store.Events.Add(service.Text, "", EventKind.DnsMended, $"{name} is {address}");
        }

        foreach (var name in there.Keys.Where(n => ServiceNames.Owner(n) == service && !wanted.ContainsKey(n)))
        {
            await provider.RemoveAsync(name, ct);
            mended.Add(name);
            store.Events.Add(service.Text, "", EventKind.DnsMended, $"{name} is removed");
        }
    }

    // Null: this version cannot read which names it has, and leaves them as they are.
    private Dictionary<string, IPAddress>? Wanted(Placement? placement)
    {
        if (placement?.Node is not { } node || store.Nodes.Find(node) is not { Address.Length: > 0 } home)
            return [];
        return placement.TryRead() is { } stored ? ServiceNames.Of(stored).ToDictionary(n => n, _ => ServiceNames.Address(home)) : null;
    }
}
