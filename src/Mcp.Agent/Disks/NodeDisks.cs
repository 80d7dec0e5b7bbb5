using Mcp.Agent.Registry;
using Mcp.Daemon.Events;
using Mcp.Daemon.Lifecycle;
using Mcp.Model.Definition;
using Mcp.Model.Errors;
using Mcp.Model.Events;
using Mcp.Model.Images;
using Mcp.Runtimes.Images;

namespace Mcp.Agent.Disks;

/// <summary>How full the disks of this node are that hold the agent's state, images and volumes; tells of volumes whose disk is nearly
/// full, each file system once.</summary>
public sealed class NodeDisks(
    string state,
    VolumeRoot volumes,
    AgentRegistry registry,
    IReadOnlyCollection<IImageStock> stocks,
    DiskGauge gauge,
    TimeProvider time) : IDisposable
{
    private const string OfVolume = "";
    private static readonly TimeSpan s_round = TimeSpan.FromMinutes(1);
    private readonly Troubles _troubles = new(registry.Events, EventKind.VolumeRoomy, EventKind.VolumeNearlyFull);
    private readonly Dictionary<ImageKind, string> _stores = [];
    private readonly SemaphoreSlim _turn = new(1, 1);

    /// <summary>As they were at the last look.</summary>
    public IReadOnlyList<NodeDisk> All { get; private set; } = [];

    public Task RunAsync(CancellationToken ct) => Supervise.EachAsync(s_round, LookAsync, time, ct);

    public async Task LookAsync(CancellationToken ct)
    {
        await _turn.WaitAsync(ct);
        try
        {
            var asked = await PathsAsync(ct);
            var gauged = await Task.WhenAll(asked.Select(a => gauge.OfAsync(a.Path, ct)));
            var told = asked.Zip(gauged, (a, g) => (a.Path, a.Holds, a.Volume, Gauged: g)).ToList();
            All = [.. told.GroupBy(t => t.Gauged?.Mount ?? t.Path).Select(g =>
            {
                IReadOnlyList<string> on = [.. g.Select(t => t.Volume).Where(v => v != OfVolume).Distinct().Order(StringComparer.Ordinal)];
                var space = g.First().Gauged?.Space;
                var was = _troubles.Of(Key(g.Key)).Length > 0;
                var isFull = on.Count > 0 && (space?.IsNearlyFull(was) ?? was);
                return new NodeDisk(g.Key, space, [.. g.Select(t => t.Holds).Where(h => h.Length > 0).Distinct()], on, isFull);
            }).OrderBy(d => d.Path, StringComparer.Ordinal)];
            Tell();
        }
        finally
        {
            _turn.Release();
        }
    }

    public void Dispose() => _turn.Dispose();

    private void Tell()
    {
        foreach (var disk in All.Where(d => d.Space is not null && d.Volumes.Count > 0))
        {
            if (!disk.IsNearlyFull)
                _troubles.Over(Key(disk.Path));
            else if (_troubles.Of(Key(disk.Path)).Length == 0)
                _troubles.Tell(Key(disk.Path), $"{disk.Space!.Value.UsedPercent} % is used; on it: {string.Join(", ", disk.Volumes)}");
        }

        // One that does not answer may be any of them.
        if (All.All(d => d.Space is not null))
            _troubles.OverExcept(All.Where(d => d.IsNearlyFull).Select(d => Key(d.Path)).ToHashSet());
    }

    private async Task<List<(string Path, string Holds, string Volume)>> PathsAsync(CancellationToken ct)
    {
        var paths = new List<(string Path, string Holds, string Volume)> { (state, "the agent's state", OfVolume) };
        foreach (var stock in stocks)
        {
            if (await StoreAsync(stock, ct) is { } store)
                paths.Add((store, stock.Kind == ImageKind.Podman ? "podman's images" : "images of VMs", OfVolume));
        }

        foreach (var component in registry.Components.List())
        {
            paths.AddRange(component.Definition.Volumes.Where(v => v.Writable).Select(v =>
                (volumes.Of(component.Service, v), "", v.IsNamed ? $"{component.Service}/{v.Source}" : VolumePaths.Normal(v.Source))));
        }

        return [.. paths.Distinct()];
    }

    // Asked once: it does not move while the agent runs.
    private async Task<string?> StoreAsync(IImageStock stock, CancellationToken ct)
    {
        if (_stores.TryGetValue(stock.Kind, out var known))
            return known;
        try
        {
            if (await stock.DirectoryAsync(ct) is { } store)
                return _stores[stock.Kind] = store;
        }
        catch (McpException)
        {
            // It is away; its runtime says so.
        }

        return null;
    }

    private static TroubleKey Key(string path) => TroubleKey.Of(path.Replace(": ", ":", StringComparison.Ordinal));
}
