using System.Text.Json;
using System.Text.Json.Serialization;
using Mcp.Model.Definition;

namespace Mcp.Runtimes.Images;

/// <summary>An image's HEALTHCHECK, as its configuration has it. Times are in nanoseconds; 0: Docker's default.
/// https://github.com/moby/docker-image-spec, specs-go/v1/image.go.</summary>
internal sealed record ImageCheck(
    [property: JsonPropertyName("Test")] IReadOnlyList<string?>? Test,
    [property: JsonPropertyName("Interval")] long Interval,
    [property: JsonPropertyName("Timeout")] long Timeout,
    [property: JsonPropertyName("StartPeriod")] long StartPeriod,
    [property: JsonPropertyName("Retries")] long Retries)
{
    private const int MostRetries = 100;
    private static readonly TimeSpan s_default = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan s_most = TimeSpan.FromHours(1);
    private static readonly TimeSpan s_longestGate = TimeSpan.FromMinutes(10);

    // A deploy asks more often than the image's author thought of, for as long as that author would have waited.
    private static readonly TimeSpan s_gate = TimeSpan.FromSeconds(1);

    /// <summary>As it comes from a builder of images or a registry: whatever it is, the image runs.</summary>
    public static ImageCheck? Read(JsonElement? written)
    {
        try
        {
            return written?.Deserialize(OciJson.Default.ImageCheck);
        }
        catch (JsonException)
        {
            return null;
        }
    }

    /// <returns>Null: there is none, or none that can be understood.</returns>
    public static HealthCheck? Of(ImageCheck? check)
    {
        if (check?.Test is not [var kind, _, ..] || check.Test.Any(t => t is null))
            return null;
        IReadOnlyList<string>? exec = kind switch
        {
            "CMD" => [.. check.Test.Skip(1).OfType<string>()],
            "CMD-SHELL" => ["/bin/sh", "-c", check.Test[1]!],
            _ => null,
        };
        if (exec is null)
            return null;
        var every = Time(check.Interval, s_default);
        var retries = check.Retries is > 0 and <= MostRetries ? (int)check.Retries : 3;
        var start = Time(check.StartPeriod, TimeSpan.Zero);
        var budget = start + (every * retries);
        return new HealthCheck
        {
            Exec = exec,
            Interval = s_gate,
            Timeout = Time(check.Timeout, s_default),
            Retries = (int)Math.Ceiling(Math.Min(budget.TotalSeconds, s_longestGate.TotalSeconds)),
            Every = every,
            StartPeriod = budget < s_most ? budget : s_most,
        };
    }

    private static TimeSpan Time(long nanoseconds, TimeSpan otherwise)
    {
        if (nanoseconds <= 0)
            return otherwise;
        var time = TimeSpan.FromTicks(nanoseconds / TimeSpan.NanosecondsPerTick);
        return time < s_most ? time : s_most;
    }
}
