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
    private static readonly TimeSpan s_grace = TimeSpan.FromSeconds(10);

    public string Name => "retire";

    public async Task<Deployment> RunAsync(Deployment state, IProgress<string> progress, CancellationToken ct)
    {
        var service = state.Service.Name;
        var gone = state.Rolling().Select(r => r.Old).OfType<InstanceName>()
            .Concat(state.Removals.Select(r => new InstanceName(service, Label.Parse(r.Component), r.OldGeneration)));
        foreach (var old in gone.ToList())
            await RetireAsync(old, ct);
        return state;
    }

    public Task UndoAsync(Deployment state, CancellationToken ct) => Task.CompletedTask;

    public async Task RetireAsync(InstanceName old, CancellationToken ct)
    {
        try
        {
            await proxy.DrainAsync(old, Drain, ct);
            await runtimes.EndAsync(old, s_grace, ct);
            ports.Release(old);
        }
        catch (Exception e) when (!ct.IsCancellationRequested)
        {
            events.Add(old.Service.Text, old.Component.Text, "retire.failed", $"{old}: {e.Message}");
        }
    }
}
