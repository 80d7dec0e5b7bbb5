using Mcp.Model.Names;

namespace Mcp.Daemon.Operations;

/// <summary>One change of a service at a time; different services side by side. What nobody holds or waits for takes no memory.</summary>
public sealed class ServiceLocks
{
    private readonly Lock _lock = new();
    private readonly Dictionary<Label, Gate> _gates = [];

    /// <summary>Of how many services somebody holds one, or waits for it.</summary>
    public int Count
    {
        get
        {
            lock (_lock)
                return _gates.Count;
        }
    }

    public async Task<IDisposable> TakeAsync(Label service, CancellationToken ct)
    {
        var gate = Enter(service);
        try
        {
            await gate.Turn.WaitAsync(ct);
        }
        catch
        {
            Leave(service, gate);
            throw;
        }

        return new Held(this, service, gate);
    }

    /// <summary>Null: somebody is changing this service right now.</summary>
    public IDisposable? TryTake(Label service)
    {
        var gate = Enter(service);
        if (gate.Turn.Wait(0))
            return new Held(this, service, gate);
        Leave(service, gate);
        return null;
    }

    private Gate Enter(Label service)
    {
        lock (_lock)
        {
            if (!_gates.TryGetValue(service, out var gate))
                _gates[service] = gate = new Gate();
            gate.Users++;
            return gate;
        }
    }

    private void Leave(Label service, Gate gate)
    {
        lock (_lock)
        {
            if (--gate.Users > 0)
                return;
            _gates.Remove(service);
            gate.Turn.Dispose();
        }
    }

    private sealed class Gate
    {
        public SemaphoreSlim Turn { get; } = new(1, 1);

        public int Users { get; set; }
    }

    private sealed class Held(ServiceLocks locks, Label service, Gate gate) : IDisposable
    {
        private bool _given;

        public void Dispose()
        {
            if (_given)
                return;
            _given = true;
            gate.Turn.Release();
            locks.Leave(service, gate);
        }
    }
}
