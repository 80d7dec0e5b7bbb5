using Mcp.Model.Names;

namespace Mcp.Daemon.Operations;

/// <summary>One change of a service at a time; different services side by side. What nobody holds or waits for takes no memory.</summary>
public sealed class ServiceLocks
{
    private static readonly TimeSpan s_tell = TimeSpan.FromSeconds(1);
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

    /// <summary>What is being done to the service; null: nothing, or nothing that anybody asked for.</summary>
    public Work? Of(Label service)
    {
        lock (_lock)
            return _gates.GetValueOrDefault(service)?.Holder;
    }

    public async Task<IDisposable> TakeAsync(Label service, CancellationToken ct)
    {
        var gate = Enter(service);
        try
        {
            await gate.Turn.WaitAsync(ct);
            await QuietOrGiveBackAsync(gate, ct);
        }
        catch
        {
            Leave(service, gate);
            throw;
        }

        return new Held(this, service, gate);
    }

    /// <summary>For what is done for somebody, who hears what it waits for.</summary>
    /// <exception cref="OperationCanceledException">Cancelled, or the patience is at its end: nothing has begun.</exception>
    public async Task<IDisposable> TakeAsync(Label service, Work work, CancellationToken ct)
    {
        using var both = CancellationTokenSource.CreateLinkedTokenSource(ct, work.Patience);
        var gate = Enter(service);
        try
        {
            await TurnAsync(gate, work, both.Token);
            await QuietOrGiveBackAsync(gate, both.Token);
        }
        catch
        {
            Leave(service, gate);
            throw;
        }

        lock (_lock)
            gate.Holder = work;
        return new Held(this, service, gate);
    }

    // In its place in the queue all the while.
    private static async Task TurnAsync(Gate gate, Work work, CancellationToken ct)
    {
        var turn = gate.Turn.WaitAsync(ct);
        if (turn.IsCompletedSuccessfully)
            return;
        work.Report(Work.Waiting, StepMark.Started, "");
        while (!turn.IsCompleted)
        {
            work.Report(Work.Waiting, StepMark.Progress, $"for {gate.Holder?.Told ?? "another change of it"}");
            await turn.WaitAsync(s_tell, CancellationToken.None).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        await turn;
        work.Report(Work.Waiting, StepMark.Done, "");
    }

    /// <summary>Null: somebody is changing this service right now.</summary>
    public IDisposable? TryTake(Label service)
    {
        var gate = Enter(service);
        if (gate.Turn.Wait(0))
        {
            if (gate.Beside.CurrentCount > 0)
                return new Held(this, service, gate);
            gate.Turn.Release();
        }

        Leave(service, gate);
        return null;
    }

    /// <summary>For what the holder leaves alone: whoever holds the service next waits until this is given back. Null: somebody is beside
    /// it already.</summary>
    public IDisposable? TryBeside(Label service)
    {
        var gate = Enter(service);
        if (gate.Beside.Wait(0))
            return new BesideHeld(this, service, gate);
        Leave(service, gate);
        return null;
    }

    /// <summary>The holder waits for whoever is beside it just now.</summary>
    public async Task QuietAsync(Label service, CancellationToken ct)
    {
        var gate = Enter(service);
        try
        {
            await QuietAsync(gate, ct);
        }
        finally
        {
            Leave(service, gate);
        }
    }

    private static async Task QuietOrGiveBackAsync(Gate gate, CancellationToken ct)
    {
        try
        {
            await QuietAsync(gate, ct);
        }
        catch
        {
            gate.Turn.Release();
            throw;
        }
    }

    private static async Task QuietAsync(Gate gate, CancellationToken ct)
    {
        await gate.Beside.WaitAsync(ct);
        gate.Beside.Release();
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
            gate.Beside.Dispose();
        }
    }

    private sealed class Gate
    {
        public SemaphoreSlim Turn { get; } = new(1, 1);

        public SemaphoreSlim Beside { get; } = new(1, 1);

        public int Users { get; set; }

        public Work? Holder { get; set; }
    }

    private sealed class BesideHeld(ServiceLocks locks, Label service, Gate gate) : IDisposable
    {
        private bool _given;

        public void Dispose()
        {
            if (_given)
                return;
            _given = true;
            gate.Beside.Release();
            locks.Leave(service, gate);
        }
    }

    private sealed class Held(ServiceLocks locks, Label service, Gate gate) : IDisposable
    {
        private bool _given;

        public void Dispose()
        {
            if (_given)
                return;
            _given = true;
            lock (locks._lock)
                gate.Holder = null;
            gate.Turn.Release();
            locks.Leave(service, gate);
        }
    }
}
