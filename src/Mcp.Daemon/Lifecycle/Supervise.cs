namespace Mcp.Daemon.Lifecycle;

/// <summary>How long a loop that fails pauses.</summary>
/// <param name="First">After its first failure; doubled while it fails sooner than it has paused.</param>
public sealed record Pace(TimeSpan First, TimeSpan Longest)
{
    public static readonly Pace Usual = new(TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(1));
}

/// <summary>Keeps what a program does without being asked: a loop that fails is logged and begun again after a pause.
/// So no full disk and no podman that is away ends one of them for good.</summary>
public sealed class Supervise(FaultLog log, TimeProvider time)
{
    public FaultLog Log => log;

    /// <summary>Until the loop ends by itself, or is cancelled. Throws nothing.</summary>
    /// <param name="name">For the log.</param>
    /// <param name="loop">May begin again from the start.</param>
    /// <param name="pace">Null: the usual.</param>
    public async Task KeepAsync(string name, Func<CancellationToken, Task> loop, CancellationToken ct, Pace? pace = null)
    {
        pace ??= Pace.Usual;
        var pause = TimeSpan.Zero;
        while (!ct.IsCancellationRequested)
        {
            var began = time.GetTimestamp();
            try
            {
                await loop(ct);
                return;
            }
            catch (Exception e) when (!ct.IsCancellationRequested)
            {
                log.Write(name, e);
            }
            catch (Exception e) when (ct.IsCancellationRequested && e is not OutOfMemoryException)
            {
                // It was told to end; what is taken from it meanwhile is no failure.
                return;
            }

            var again = time.GetElapsedTime(began) < pause ? pause * 2 : pace.First;
            pause = again < pace.Longest ? again : pace.Longest;
            await Task.Delay(pause, time, ct).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>A round at once, and again whenever the last one has ended so long ago, until cancelled.</summary>
    public static async Task EachAsync(TimeSpan period, Func<CancellationToken, Task> round, TimeProvider time, CancellationToken ct)
    {
        while (!ct.IsCancellationRequested)
        {
            await round(ct);
            await Task.Delay(period, time, ct);
        }
    }

    /// <inheritdoc cref="EachAsync(TimeSpan, Func{CancellationToken, Task}, TimeProvider, CancellationToken)"/>
    public static Task EachAsync(TimeSpan period, Action round, TimeProvider time, CancellationToken ct) => EachAsync(
        period,
        _ =>
        {
            round();
            return Task.CompletedTask;
        },
        time,
        ct);
}
