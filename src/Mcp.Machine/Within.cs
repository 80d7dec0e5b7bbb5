namespace Mcp.Machine;

/// <summary>A limit of time on what is done for somebody: its token is cancelled when the time is over or the caller no longer wants it,
/// and it can be told which.</summary>
public sealed class Within : IDisposable
{
    private readonly CancellationToken _caller;
    private readonly CancellationTokenSource _time;
    private readonly CancellationTokenSource _either;

    /// <param name="time">Null: the machine's clock.</param>
    public Within(TimeSpan limit, CancellationToken ct, TimeProvider? time = null)
    {
        _caller = ct;
        _time = new CancellationTokenSource(limit, time ?? TimeProvider.System);
        _either = CancellationTokenSource.CreateLinkedTokenSource(_time.Token, ct);
    }

    public CancellationToken Token => _either.Token;

    /// <summary>The time is over, and the caller still waits.</summary>
    public bool IsOver => _time.IsCancellationRequested && !_caller.IsCancellationRequested;

    public void Dispose()
    {
        _either.Dispose();
        _time.Dispose();
    }
}
