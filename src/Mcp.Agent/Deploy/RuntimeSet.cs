using Mcp.Agent.Registry;
using Mcp.Agent.Volumes;
using Mcp.Model.Definition;
using Mcp.Model.Errors;
using Mcp.Model.Instances;
using Mcp.Model.Names;
using Mcp.Runtimes;

namespace Mcp.Agent.Deploy;

/// <summary>All runtimes of the node: selects by component, lists over all. Each starts only what the guard of the volumes lets
/// it.</summary>
public sealed class RuntimeSet : IDisposable
{
    private readonly Dictionary<RuntimeKind, IRuntime> _byKind;

    /// <param name="together">See <see cref="VolumeGuard"/>.</param>
    public RuntimeSet(
        IReadOnlyDictionary<RuntimeKind, IRuntime> byKind,
        NamedVolumes volumes,
        Func<InstanceName, InstanceName, bool>? together = null)
    {
        Volumes = volumes;
        Guard = new VolumeGuard([.. byKind.Values.Distinct()], together);
        var guarded = byKind.Values.Distinct().ToDictionary(r => r, r => new GuardedRuntime(r, Guard, volumes));
        _byKind = byKind.ToDictionary(r => r.Key, r => (IRuntime)guarded[r.Value]);
    }

    public VolumeGuard Guard { get; }

    public NamedVolumes Volumes { get; }

    public IEnumerable<IRuntime> All => _byKind.Values.Distinct();

    /// <exception cref="McpException">runtime.missing</exception>
    public IRuntime For(ComponentDefinition component) => _byKind.TryGetValue(component.Runtime, out var runtime)
        ? runtime
        : throw new McpException(
            ErrorCode.RuntimeMissing,
            $"component {component.Name} wants the runtime {Spellings.Runtimes.Spell(component.Runtime)}, which this node does not offer",
            $"offered: {string.Join(", ", _byKind.Keys.Select(k => Spellings.Runtimes.Spell(k)))}");

    /// <summary>Null: this node does not offer it.</summary>
    public IRuntime? Find(RuntimeKind kind) => _byKind.GetValueOrDefault(kind);

    public async Task<IReadOnlyList<InstanceInfo>> ListAsync(CancellationToken ct)
    {
        var all = new List<InstanceInfo>();
        foreach (var runtime in All)
            all.AddRange(await runtime.ListAsync(ct));
        return all;
    }

    /// <summary>The runtime that has the instance; null: none has it.</summary>
    public async Task<IRuntime?> FindAsync(InstanceName name, CancellationToken ct)
    {
        foreach (var runtime in All)
        {
            if (await runtime.InspectAsync(name, ct) is not null)
                return runtime;
        }

        return null;
    }

    /// <summary>How long its own definition lets requests under way take to end; zero: it is gone.</summary>
    public async Task<TimeSpan> DrainOfAsync(InstanceName name, CancellationToken ct) =>
        await FindAsync(name, ct) is { } runtime ? Leaving.Of(await runtime.InspectAsync(name, ct)).Drain : TimeSpan.Zero;

    /// <summary>Stops it with the grace of its own definition, and sees it ended. Safe to repeat, also on one that is gone.</summary>
    /// <exception cref="McpException">instance.stop: it still runs, or its runtime cannot say.</exception>
    public async Task StopAsync(InstanceName name, CancellationToken ct)
    {
        if (await FindAsync(name, ct) is not { } runtime)
            return;
        var leaving = Leaving.Of(await runtime.InspectAsync(name, ct));
        await runtime.StopAsync(name, leaving.Grace, ct);
        if (await runtime.InspectAsync(name, ct) is
            {
                State: not (InstanceState.Exited
            or InstanceState.Failed
            or InstanceState.Removed)
            } left)
        {
            throw new McpException(
                ErrorCode.InstanceStop,
                $"{name} was asked to stop and is still {left.State.ToString().ToLowerInvariant()}",
                "mcp ps shows what its runtime says of it");
        }
    }

    /// <summary>Stops and removes, whichever runtime has it. Safe to repeat.</summary>
    public async Task EndAsync(InstanceName name, CancellationToken ct)
    {
        await StopAsync(name, ct);
        foreach (var runtime in All)
            await runtime.RemoveAsync(name, ct);
    }

    public void Dispose() => Guard.Dispose();
}
