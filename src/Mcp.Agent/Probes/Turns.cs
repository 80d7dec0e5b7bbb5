namespace Mcp.Agent.Probes;

/// <summary>So many at once. Whoever takes long gives its turn back and goes on in a slow one, of which there are more, and those that were
/// slow begin there: they hold up each other, and nobody else for longer than that.</summary>
internal sealed class Turns(int quick, int slow, TimeSpan slowFrom, TimeProvider time) : IDisposable
{
    private readonly SemaphoreSlim _quick = new(quick, quick);
    private readonly SemaphoreSlim _slow = new(slow, slow);

    /// <param name="wasSlow">The last time.</param>
    /// <returns>What came of it, and whether it was slow.</returns>
    public async Task<(T Result, bool IsSlow)> TakeAsync<T>(Func<Task<T>> act, bool wasSlow, CancellationToken ct)
    {
        var held = wasSlow ? _slow : _quick;
        await held.WaitAsync(ct);
        try
        {
            var began = time.GetTimestamp();
            var acting = act();
            if (held == _quick && !await EndsSoonAsync(acting, ct) && await _slow.WaitAsync(TimeSpan.Zero, ct))
            {
                _quick.Release();
                held = _slow;
            }

            return (await acting, time.GetElapsedTime(began) >= slowFrom);
        }
        finally
        {
            held.Release();
        }
    }

    public void Dispose()
    {
        _quick.Dispose();
        _slow.Dispose();
    }

    private async Task<bool> EndsSoonAsync(Task acting, CancellationToken ct)
    {
        using var over = CancellationTokenSource.CreateLinkedTokenSource(ct);
        var isSoon = await Task.WhenAny(acting, Task.Delay(slowFrom, time, over.Token)) == acting;
        await over.CancelAsync();
        return isSoon;
    }
}
