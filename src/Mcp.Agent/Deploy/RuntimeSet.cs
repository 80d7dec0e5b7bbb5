using Mcp.Model;
using Mcp.Model.Definition;
using Mcp.Model.Names;
using Mcp.Runtimes;

namespace Mcp.Agent.Deploy;

/// <summary>All runtimes of the node: selects by component, lists over all.</summary>
public sealed class RuntimeSet(IReadOnlyDictionary<RuntimeKind, IRuntime> byKind)
{
    public IEnumerable<IRuntime> All => byKind.Values.Distinct();

    /// <exception cref="McpException">runtime.missing</exception>
    public IRuntime For(ComponentDefinition component) => byKind.TryGetValue(component.Runtime, out var runtime)
        ? runtime
        : throw new McpException("runtime.missing", $"component {component.Name} wants the runtime {Spellings.Runtimes.Spell(component.Runtime)}, which this node does not offer", $"offered: {string.Join(", ", byKind.Keys.Select(k => Spellings.Runtimes.Spell(k)))}");

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

    /// <summary>Stops and removes, whichever runtime has it. Safe to repeat.</summary>
    /// <param name="grace">Time from SIGTERM to SIGKILL.</param>
    public async Task EndAsync(InstanceName name, TimeSpan grace, CancellationToken ct)
    {
        foreach (var runtime in All)
        {
            await runtime.StopAsync(name, grace, ct);
            await runtime.RemoveAsync(name, ct);
        }
    }
}
