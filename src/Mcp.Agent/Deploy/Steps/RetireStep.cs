using Mcp.Agent.Ports;
using Mcp.Agent.Proxy;
using Mcp.Daemon.Errors;
using Mcp.Daemon.Events;
using Mcp.Daemon.Operations;
using Mcp.Model.Events;
using Mcp.Model.Names;
using Microsoft.Data.Sqlite;

namespace Mcp.Agent.Deploy.Steps;

/// <summary>Lets the old instances finish what they are doing, then stops and removes them. What fails here the reconciler mends: the
/// deploy is done.</summary>
public sealed class RetireStep(RuntimeSet runtimes, PortAllocator ports, INodeProxy proxy, EventsTable events) : IStep<Deployment>
{
    // An instance that has ended once never comes back.
    private readonly Troubles _troubles = new(events, over: null, EventKind.RetireFailed);

    public string Name => "retire";

    public OnCancel OnCancel => OnCancel.TooLate;

    public async Task<Deployment> RunAsync(Deployment state, IProgress<string> progress, CancellationToken ct)
    {
        foreach (var old in state.Going())
            await RetireAsync(old.Instance, ct);
        foreach (var kept in state.Service.Active ? [] : state.Kept())
            await TryAsync(kept, () => runtimes.StopAsync(kept, ct), ct);
        return state;
    }

    public Task UndoAsync(Deployment state, CancellationToken ct) => Task.CompletedTask;

    /// <summary>False: it could not be ended; an event says why.</summary>
    public Task<bool> RetireAsync(InstanceName old, CancellationToken ct) => TryAsync(old, async () =>
    {
        await proxy.DrainAsync(old, await runtimes.DrainOfAsync(old, ct), Draining.All, ct);
        await runtimes.EndAsync(old, ct);
        ports.Release(old);
    }, ct);

    // The new generation serves already: nothing that fails here may take it back.
    private async Task<bool> TryAsync(InstanceName instance, Func<Task> act, CancellationToken ct)
    {
        try
        {
            await act();
            _troubles.Forget(TroubleKey.Of(instance));
            return true;
        }
        catch (Exception e) when (!ct.IsCancellationRequested)
        {
            Note(instance, e);
            return false;
        }
    }

    private void Note(InstanceName instance, Exception failure)
    {
        try
        {
            _troubles.Tell(TroubleKey.Of(instance), FailureText.Of(failure));
        }
        catch (SqliteException)
        {
            // The disk is full, and the reconciler tries again.
        }
    }
}
