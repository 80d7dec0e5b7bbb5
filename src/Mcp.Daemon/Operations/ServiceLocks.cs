using System.Collections.Concurrent;
using Mcp.Model.Names;

namespace Mcp.Daemon.Operations;

/// <summary>One change of a service at a time; different services side by side.</summary>
public sealed class ServiceLocks
{
    private readonly ConcurrentDictionary<Label, SemaphoreSlim> _locks = new();

    public async Task<IDisposable> TakeAsync(Label service, CancellationToken ct)
    {
        var gate = Gate(service);
        await gate.WaitAsync(ct);
        return new Held(gate);
    }

    /// <summary>Null: somebody is changing this service right now.</summary>
    public IDisposable? TryTake(Label service) => Gate(service) is var gate && gate.Wait(0) ? new Held(gate) : null;

    private SemaphoreSlim Gate(Label service) => _locks.GetOrAdd(service, _ => new SemaphoreSlim(1, 1));

    private sealed class Held(SemaphoreSlim gate) : IDisposable
    {
        public void Dispose() => gate.Release();
    }
}
