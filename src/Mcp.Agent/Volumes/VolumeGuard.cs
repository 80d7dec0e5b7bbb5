using Mcp.Model.Definition;
using Mcp.Model.Errors;
using Mcp.Model.Names;
using Mcp.Runtimes;

namespace Mcp.Agent.Volumes;

/// <summary>One writer for each path. Before an instance starts, the runtimes are asked what runs, never a table; what is not certain
/// counts as running. Two that start at once claim their paths here until their runtimes know them.</summary>
/// <param name="together">Whether two instances were deployed together on one directory before a volume had one writer; null: none
/// were.</param>
public sealed class VolumeGuard(
    IReadOnlyCollection<IRuntime> runtimes,
    Func<InstanceName, InstanceName, bool>? together = null) : IDisposable
{
    private readonly SemaphoreSlim _asking = new(1, 1);
    private readonly List<VolumeHolder> _claims = [];

    /// <param name="volumes">As directories of this host (<see cref="VolumeRoot.Mounts"/>).</param>
    /// <summary>The right to start this instance, until it is disposed.</summary>
    /// <exception cref="McpException">volume.held: another may write there; volume.unsure: a runtime does not answer.</exception>
    public async Task<IDisposable?> ClaimAsync(InstanceName name, IReadOnlyList<VolumeMount> volumes, CancellationToken ct)
    {
        var writable = volumes.Where(v => v.Writable).ToList();
        if (writable.Count == 0)
            return null;
        await _asking.WaitAsync(ct);
        try
        {
            await CheckAsync(
                name.ToString(),
                writable,
                holder => holder.Instance is { } other && (other == name || together?.Invoke(name, other) == true),
                ct);
            var claim = new VolumeHolder(name.ToString(), name, false, writable);
            lock (_claims)
                _claims.Add(claim);
            return new Claim(this, claim);
        }
        finally
        {
            _asking.Release();
        }
    }

    /// <summary>Before anything is touched: whether these volumes would be free.</summary>
    /// <param name="ends">Holders that will have ended by then.</param>
    /// <exception cref="McpException">volume.held, volume.unsure</exception>
    public async Task CheckAsync(string who, IReadOnlyList<VolumeMount> volumes, Func<VolumeHolder, bool> ends, CancellationToken ct)
    {
        var writable = volumes.Where(v => v.Writable).ToList();
        if (writable.Count == 0)
            return;
        foreach (var holder in (await HoldersAsync(ct)).Where(h => !h.Ended && !ends(h)))
        {
            foreach (var volume in writable)
            {
                if (holder.Writable.FirstOrDefault(w => (w.Exclusive || volume.Exclusive)
                    && HostPaths.Overlap(w.Source, volume.Source)) is { } held)
                {
                    throw Held(who, volume, holder, held);
                }
            }
        }
    }

    /// <summary>Whoever may be writing to one of these directories, and what has ended and would.</summary>
    /// <exception cref="McpException">volume.unsure</exception>
    public async Task<ILookup<string, VolumeHolder>> HoldersAsync(IReadOnlyCollection<string> directories, CancellationToken ct)
    {
        var holders = await HoldersAsync(ct);
        return directories
            .SelectMany(d => holders.Where(h => h.Writable.Any(w => HostPaths.Overlap(w.Source, d))).Select(h => (d, h)))
            .ToLookup(pair => pair.d, pair => pair.h);
    }

    /// <summary>Whether something that runs may write there, other than this instance. One that only has claimed it does not run yet: of
    /// two that start at once on an empty volume the first one fills it.</summary>
    /// <exception cref="McpException">volume.unsure</exception>
    public async Task<bool> IsUsedAsync(string directory, InstanceName by, CancellationToken ct)
    {
        foreach (var runtime in runtimes)
        {
            var holders = await runtime.HoldersAsync(ct);
            if (holders.Any(h => !h.Ended && h.Instance != by && h.Writable.Any(w => HostPaths.Overlap(w.Source, directory))))
                return true;
        }

        return false;
    }

    /// <summary>What the instance itself may write to, as its runtime has it.</summary>
    public async Task<IReadOnlyList<VolumeMount>> OfAsync(InstanceName name, CancellationToken ct) =>
        [.. (await HoldersAsync(ct)).Where(h => h.Instance == name).SelectMany(h => h.Writable)];

    public void Dispose() => _asking.Dispose();

    private async Task<List<VolumeHolder>> HoldersAsync(CancellationToken ct)
    {
        List<VolumeHolder> all;
        // Claims first: one that is given up while the runtimes are asked is known to its runtime by then.
        lock (_claims)
            all = [.. _claims];
        foreach (var runtime in runtimes)
            all.AddRange(await runtime.HoldersAsync(ct));
        return all;
    }

    private static McpException Held(string who, VolumeMount volume, VolumeHolder holder, VolumeMount held) => new(
        ErrorCode.VolumeHeld,
        $"{who} is not started: {holder.Who} may be writing to {held.Source}"
            + (held.Source == volume.Source ? "" : $", which overlaps {volume.Source}"),
        "one instance at a time writes to a volume; stop the other one first (mcp adopt takes over one that the registry does not know), "
            + "or say :shared on both where several writers are meant");

    private sealed class Claim(VolumeGuard guard, VolumeHolder claim) : IDisposable
    {
        public void Dispose()
        {
            lock (guard._claims)
                guard._claims.Remove(claim);
        }
    }
}
