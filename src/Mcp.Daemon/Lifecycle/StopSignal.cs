using System.Runtime.InteropServices;

namespace Mcp.Daemon.Lifecycle;

/// <summary>SIGTERM and SIGINT as a token: the daemon ends in order, instead of being ended.</summary>
public sealed class StopSignal : IDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly List<PosixSignalRegistration> _signals;

    public StopSignal() => _signals = [Take(PosixSignal.SIGTERM), Take(PosixSignal.SIGINT)];

    public CancellationToken Token => _stop.Token;

    public void Dispose()
    {
        _signals.ForEach(s => s.Dispose());
        _stop.Dispose();
    }

    private PosixSignalRegistration Take(PosixSignal signal) => PosixSignalRegistration.Create(signal, context =>
    {
        context.Cancel = true;
        _stop.Cancel();
    });
}
