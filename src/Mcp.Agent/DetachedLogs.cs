using Mcp.Daemon.Lifecycle;

namespace Mcp.Agent;

/// <summary>Keeps what programs that outlive the agent write short: at 10 MiB the last of it becomes LOG.1, and the file begins
/// anew.</summary>
internal sealed class DetachedLogs(IReadOnlyList<string> logs, TimeProvider time)
{
    private const int Kept = 1024 * 1024;
    private static readonly TimeSpan s_period = TimeSpan.FromSeconds(30);

    public Task RunAsync(CancellationToken ct) => Supervise.EachAsync(s_period, RoundAsync, time, ct);

    public async Task RoundAsync(CancellationToken ct)
    {
        foreach (var log in logs.Where(l => File.Exists(l) && new FileInfo(l).Length > Detached.MaxLogBytes))
        {
            // The programs write at its end, wherever that is.
            await using var file = new FileStream(log, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite);
            file.Seek(-Kept, SeekOrigin.End);
            var last = new byte[Kept];
            await file.ReadExactlyAsync(last, ct);
            await File.WriteAllBytesAsync(log + ".1", last, ct);
            file.SetLength(0);
        }
    }
}
