using Mcp.Agent.Registry;
using Mcp.Model.Instances;
using Mcp.Model.Names;
using Mcp.Runtimes;

namespace Mcp.Agent.Volumes;

/// <summary>A runtime that starts nothing whose volumes somebody else may be writing to: whoever asks, deploy, undo, reconciler or a
/// person. It makes and fills the named ones.</summary>
public sealed class GuardedRuntime(IRuntime inner, VolumeGuard guard, NamedVolumes volumes) : IRuntime
{
    public string Name => inner.Name;

    public Task<RuntimeAvailability> ProbeAsync(CancellationToken ct) => inner.ProbeAsync(ct);

    public Task<string> PullAsync(ImageReference image, ImageWish wish, IProgress<string>? progress, CancellationToken ct) =>
        inner.PullAsync(image, wish, progress, ct);

    public Task<IReadOnlyList<string>> DigestsAsync(InstanceName name, CancellationToken ct) => inner.DigestsAsync(name, ct);

    public Task<ImageLook?> LookAsync(ImageReference image, ImageWish wish, CancellationToken ct) => inner.LookAsync(image, wish, ct);

    public async Task RunAsync(InstanceSpec spec, CancellationToken ct)
    {
        var existing = await inner.InspectAsync(spec.Name, ct);
        if (existing is { State: InstanceState.Running } && existing.SpecHash == spec.SpecHash)
            return;
        // The runtime makes it anew, and would kill what runs.
        if (existing is { State: InstanceState.Running or InstanceState.Paused or InstanceState.Unknown })
            await inner.StopAsync(spec.Name, Leaving.Of(existing).Grace, ct);
        var placed = spec with { Mounts = volumes.Root.Mounts(spec.Name.Service, spec.Component), IsNew = existing is null };
        using var claim = await guard.ClaimAsync(spec.Name, placed.Mounts, ct);
        await volumes.PrepareAsync(
            spec.Name.Service,
            spec.Component,
            (path, token) => inner.FormerAsync(spec.Name, path, token),
            (directory, token) => guard.IsUsedAsync(directory, spec.Name, token),
            (path, directory, token) => inner.FillAsync(placed, path, directory, token),
            ct);
        await inner.RunAsync(placed, ct);
    }

    public Task<bool> FillAsync(InstanceSpec spec, string path, string directory, CancellationToken ct) =>
        inner.FillAsync(spec, path, directory, ct);

    public Task<FormerData?> FormerAsync(InstanceName name, string path, CancellationToken ct) => inner.FormerAsync(name, path, ct);

    public async Task StartAsync(InstanceName name, CancellationToken ct)
    {
        using var claim = await guard.ClaimAsync(name, await guard.OfAsync(name, ct), ct);
        await inner.StartAsync(name, ct);
    }

    public Task StopAsync(InstanceName name, TimeSpan grace, CancellationToken ct) => inner.StopAsync(name, grace, ct);

    public Task RemoveAsync(InstanceName name, CancellationToken ct) => inner.RemoveAsync(name, ct);

    public Task<InstanceInfo?> InspectAsync(InstanceName name, CancellationToken ct) => inner.InspectAsync(name, ct);

    public Task<IReadOnlyList<InstanceInfo>> ListAsync(CancellationToken ct) => inner.ListAsync(ct);

    public Task<IReadOnlyList<VolumeHolder>> HoldersAsync(CancellationToken ct) => inner.HoldersAsync(ct);

    public IAsyncEnumerable<LogLine> LogsAsync(InstanceName name, LogOptions options, CancellationToken ct) =>
        inner.LogsAsync(name, options, ct);

    public IReadOnlyList<InstanceLog> Logged() => inner.Logged();

    public bool MarkLog(InstanceName name, bool isGone) => inner.MarkLog(name, isGone);

    public void ForgetLog(InstanceName name) => inner.ForgetLog(name);

    public IAsyncEnumerable<RuntimeEvent> WatchAsync(CancellationToken ct) => inner.WatchAsync(ct);

    public Task<(int ExitCode, string Output)> ExecAsync(
        InstanceName name,
        IReadOnlyList<string> command,
        TimeSpan limit,
        CancellationToken ct) =>
        inner.ExecAsync(name, command, limit, ct);

    public Task<bool?> ListensAsync(InstanceName name, int port, CancellationToken ct) => inner.ListensAsync(name, port, ct);
}
