namespace Mcp.Daemon.Lifecycle;

/// <summary>A token for what is written to a caller while the program stops: a caller that reads gets it, and one that does not ends its
/// own call and holds up nobody. A write that is cancelled ends the call without a word.</summary>
public sealed class StopGrace : IDisposable
{
    private static readonly TimeSpan s_grace = TimeSpan.FromSeconds(1);
    private readonly CancellationTokenSource _over;
    private readonly CancellationTokenRegistration _heard;

    /// <param name="stopping">The program stops.</param>
    /// <param name="ct">The caller has gone.</param>
    public StopGrace(CancellationToken stopping, CancellationToken ct)
    {
        _over = CancellationTokenSource.CreateLinkedTokenSource(ct);
        _heard = stopping.Register(() => _over.CancelAfter(s_grace));
    }

    public CancellationToken Token => _over.Token;

    public void Dispose()
    {
        _heard.Dispose();
        _over.Dispose();
    }
}
