using Mcp.Agent.Ports;
using Mcp.Agent.Proxy;
using Mcp.Daemon.Events;
using Mcp.Daemon.Operations;
using Mcp.Model.Names;

namespace Mcp.Agent.Deploy.Steps;

/// <summary>Lets the old instances finish what they are doing, then stops and removes them. What fails here the reconciler mends: the deploy is done.</summary>
public sealed class RetireStep(RuntimeSet runtimes, PortAllocator ports, INodeProxy proxy, EventsTable events) : IStep<Deployment>
{
    public static readonly TimeSpan Drain = TimeSpan.FromSeconds(10);

    public string Name => "retire";

    public async Task<Deployment> RunAsync(Deployment state, IProgress<string> progress, CancellationToken ct)
    {
        foreach (var old in state.Going())
            await RetireAsync(old.Instance, ct);
        foreach (var kept in state.Service.Active ? [] : state.Kept())
            await runtimes.StopAsync(kept, ct);
        return state;
    }

    public Task UndoAsync(Deployment state, CancellationToken ct) => Task.CompletedTask;

    public async Task RetireAsync(InstanceName old, CancellationToken ct)
    {
        try
        {
            await proxy.DrainAsync(old, Drain, ct);
            await runtimes.EndAsync(old, ct);
            ports.Release(old);
        }
        catch (Exception e) when (!ct.IsCancellationRequested)
        {
            events.Add(old.Service.Text, old.Component.Text, "retire.failed", $"{old}: {e.Message}");
        }
    }
}
