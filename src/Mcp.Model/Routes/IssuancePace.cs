namespace Mcp.Model.Routes;

/// <summary>One try to get a certificate for a hostname.</summary>
public sealed record IssuanceAttempt(DateTimeOffset Time, bool Issued);

/// <summary>When a public CA may be asked again for a hostname. Below the limits of Let's Encrypt: 5 failures an hour, 5 certificates for
/// the same names in 7 days (https://letsencrypt.org/docs/rate-limits/).</summary>
public static class IssuancePace
{
    public const int FailuresAnHour = 4;
    public const int CertificatesAWeek = 4;
    private static readonly TimeSpan s_hour = TimeSpan.FromHours(1);
    private static readonly TimeSpan s_week = TimeSpan.FromDays(7);
    private static readonly TimeSpan s_firstPause = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan s_longestPause = TimeSpan.FromHours(12);

    /// <summary>What need not be remembered any more.</summary>
    public static TimeSpan Memory => s_week;

    /// <summary>When it may be tried; in the past: now.</summary>
    /// <param name="attempts">In any order.</param>
    /// <param name="asked">Somebody waits for it and may have mended what was wrong; false: a try of our own, which also keeps a pause that
    /// doubles with each failure in a row.</param>
    public static DateTimeOffset Next(IReadOnlyList<IssuanceAttempt> attempts, bool asked)
    {
        var newestFirst = attempts.OrderByDescending(a => a.Time).ToList();
        var next = DateTimeOffset.MinValue;
        if (newestFirst.Where(a => !a.Issued).Skip(FailuresAnHour - 1).FirstOrDefault() is { } failed)
            next = failed.Time + s_hour;
        if (newestFirst.Where(a => a.Issued).Skip(CertificatesAWeek - 1).FirstOrDefault() is { } issued && issued.Time + s_week > next)
            next = issued.Time + s_week;
        var failures = newestFirst.TakeWhile(a => !a.Issued).Count();
        if (asked || failures == 0)
            return next;
        var pause = TimeSpan.FromTicks(Math.Min(s_longestPause.Ticks, s_firstPause.Ticks << Math.Min(failures - 1, 20)));
        return newestFirst[0].Time + pause is var late && late > next ? late : next;
    }
}
