namespace Mcp.Machine;

/// <summary>A clock that goes on at its pace whoever sets the machine's: for pauses and limits, which are compared with nothing but
/// themselves. What it says is the time of day only until somebody does.</summary>
/// <param name="time">The machine's.</param>
public sealed class SteadyTime(TimeProvider time) : TimeProvider
{
    private readonly DateTimeOffset _began = time.GetUtcNow();
    private readonly long _from = time.GetTimestamp();

    public override long TimestampFrequency => time.TimestampFrequency;

    public override TimeZoneInfo LocalTimeZone => time.LocalTimeZone;

    public override DateTimeOffset GetUtcNow() => _began + time.GetElapsedTime(_from);

    public override long GetTimestamp() => time.GetTimestamp();

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
        time.CreateTimer(callback, state, dueTime, period);
}
