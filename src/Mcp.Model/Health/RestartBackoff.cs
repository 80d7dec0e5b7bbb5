namespace Mcp.Model.Health;

/// <summary>Pause before restart number n: 1 s, doubling up to 5 min.</summary>
public static class RestartBackoff
{
    public static readonly TimeSpan Longest = TimeSpan.FromMinutes(5);

    /// <summary>Restarts in a row from which on a component counts as flapping.</summary>
    public const int FlappingFrom = 5;

    /// <param name="restarts">Restarts so far without a quiet spell, 0 or more.</param>
    public static TimeSpan Pause(int restarts) =>
        restarts >= 9 ? Longest : TimeSpan.FromSeconds(Math.Min(Longest.TotalSeconds, 1 << Math.Max(0, restarts)));
}
