using Mcp.Model.Errors;
using Mcp.Model.Instances;
using Mcp.Model.Names;

namespace Mcp.Runtimes;

/// <summary>A way to run instances. Every implementation passes the RuntimeContract tests.</summary>
public interface IRuntime
{
    string Name { get; }

    /// <summary>Is it usable here, and if not, why. Never throws for an unusable runtime.</summary>
    Task<RuntimeAvailability> ProbeAsync(CancellationToken ct);

    /// <summary>Makes the image present. A copy that is here serves where the registry does not.</summary>
    /// <param name="wish">Whether the registry is asked although there is a copy.</param>
    /// <returns>What the reference means here now, in the runtime's own words; later wishes and specs may name it.</returns>
    /// <exception cref="McpException">image.pull</exception>
    Task<string> PullAsync(ImageReference image, ImageWish wish, IProgress<string>? progress, CancellationToken ct);

    /// <summary>Digests by which registries may know the image of an instance; none: there is no instance, or nobody knows.</summary>
    Task<IReadOnlyList<string>> DigestsAsync(InstanceName name, CancellationToken ct);

    /// <summary>What is known of the image that <see cref="PullAsync"/> would take; nothing is pulled.</summary>
    /// <returns>Null: it is not here, and its registry does not say.</returns>
    Task<ImageLook?> LookAsync(ImageReference image, ImageWish wish, CancellationToken ct);

    /// <summary>Creates and starts. Safe to repeat: an instance of this name and spec that already runs is left as it is.</summary>
    /// <exception cref="McpException">port.in_use, instance.start; image.gone: it was pulled, and somebody has removed it.</exception>
    Task RunAsync(InstanceSpec spec, CancellationToken ct);

    /// <summary>Copies what the instance's image, which is present, has at the path, with owners, modes and links.</summary>
    /// <param name="path">A directory inside the instance.</param>
    /// <param name="directory">On this host. It is made here; what a failure leaves of it counts for nothing.</param>
    /// <returns>False: the image has no directory there, and nothing was made.</returns>
    /// <exception cref="McpException">volume.fill</exception>
    Task<bool> FillAsync(InstanceSpec spec, string path, string directory, CancellationToken ct);

    /// <summary>What an older instance of the same component has written at a path in a place of its own, which goes with it: versions
    /// before 0.3 kept no VOLUME of an image.</summary>
    /// <param name="name">The instance that comes.</param>
    /// <returns>Null: there is no such instance.</returns>
    /// <exception cref="McpException">volume.held: it has not ended.</exception>
    Task<FormerData?> FormerAsync(InstanceName name, string path, CancellationToken ct);

    /// <summary>Starts an instance that exists and stands still.</summary>
    Task StartAsync(InstanceName name, CancellationToken ct);

    /// <param name="grace">Time from SIGTERM to SIGKILL; 0 kills at once. Safe to repeat, also on an instance that is gone.</param>
    Task StopAsync(InstanceName name, TimeSpan grace, CancellationToken ct);

    /// <summary>Stops at once and deletes. Safe to repeat.</summary>
    Task RemoveAsync(InstanceName name, CancellationToken ct);

    /// <summary>Null: no such instance.</summary>
    Task<InstanceInfo?> InspectAsync(InstanceName name, CancellationToken ct);

    /// <summary>Only what mcp owns.</summary>
    Task<IReadOnlyList<InstanceInfo>> ListAsync(CancellationToken ct);

    /// <summary>Who may write to directories of the host: every instance of mcp's, and whatever else the runtime runs. Asked of the runtime
    /// itself, each time.</summary>
    /// <exception cref="McpException">volume.unsure: the runtime does not answer.</exception>
    Task<IReadOnlyList<VolumeHolder>> HoldersAsync(CancellationToken ct);

    /// <summary>What its program wrote, also of an instance that is gone, until it is forgotten. Followed, it ends when the instance has
    /// ended and all is read.</summary>
    IAsyncEnumerable<LogLine> LogsAsync(InstanceName name, LogOptions options, CancellationToken ct);

    /// <summary>The instances that have a log here, also those that are gone.</summary>
    IReadOnlyList<InstanceLog> Logged();

    /// <summary>Writes down whether the component of a log is gone: its time counts from then. Safe to repeat.</summary>
    /// <returns>It was not, and is now.</returns>
    bool MarkLog(InstanceName name, bool isGone);

    /// <summary>Removes the log of an instance that is gone. Safe to repeat.</summary>
    void ForgetLog(InstanceName name);

    /// <summary>Yields whenever an instance of mcp's may have changed; ends when the runtime goes away.</summary>
    IAsyncEnumerable<RuntimeEvent> WatchAsync(CancellationToken ct);

    /// <summary>Runs an argument list inside, as the instance's own program runs; the exit code and what it printed.</summary>
    /// <param name="limit">Up to 10 min.</param>
    /// <exception cref="McpException">exec.unsupported, program.hangs: it did not end within the limit.</exception>
    Task<(int ExitCode, string Output)> ExecAsync(InstanceName name, IReadOnlyList<string> command, TimeSpan limit, CancellationToken ct);

    /// <summary>Whether something of the instance listens on a TCP port, where a connection to the published port would not tell, since
    /// somebody else may take it. Null: a connection tells, or nobody can.</summary>
    Task<bool?> ListensAsync(InstanceName name, int port, CancellationToken ct);
}

/// <param name="Ask">The registry, also where there is a copy.</param>
/// <param name="Kept">What an earlier <see cref="IRuntime.PullAsync"/> told: it serves, if it is still here and the registry is not to be
/// asked. Empty: nothing.</param>
public sealed record ImageWish(bool Ask = false, string Kept = "");

/// <summary>What is known of an image before it is pulled.</summary>
/// <param name="Volumes">Its VOLUMEs, as the image has them, so they may be anything.</param>
/// <param name="Here">The copy on this node, in the runtime's own words, that a pull would take: there is nothing to pull. Empty: there is
/// none, the registry has another one, or did not answer.</param>
public sealed record ImageLook(IReadOnlyList<string> Volumes, string Here = "");

public abstract record RuntimeAvailability
{
    public sealed record Usable(string Version) : RuntimeAvailability;

    public sealed record Unusable(string Reason, string Hint) : RuntimeAvailability;
}

/// <param name="Time">When it, or its first piece, was written.</param>
/// <param name="Text">Without its line feed. What is no UTF-8 is U+FFFD.</param>
public sealed record LogLine(DateTimeOffset Time, bool Stderr, string Text)
{
    /// <summary>The line was too long, and goes on in the next of its stream.</summary>
    public bool Continues { get; init; }

    /// <summary>No line of the program's: said to whoever reads, whatever he asks for.</summary>
    internal bool IsNotice { get; init; }
}

/// <param name="Written">When it was written to for the last time, or its component went.</param>
/// <param name="Bytes">0: nothing was ever written.</param>
public sealed record InstanceLog(InstanceName Name, DateTimeOffset Written, long Bytes);

/// <param name="Tail">Last lines only, of those that the others let through; null: all.</param>
public sealed record LogOptions(bool Follow = false, int? Tail = null, DateTimeOffset? Since = null)
{
    /// <summary>Nothing later; one that is followed ends then.</summary>
    public DateTimeOffset? Until { get; init; }

    /// <summary>Only lines whose text it takes; null: all.</summary>
    public Func<string, bool>? Matches { get; init; }

    /// <summary>Asked of one that has ended and is followed: whether it may be started again, and is waited for. Null: it is not.</summary>
    public Func<CancellationToken, ValueTask<bool>>? Stays { get; init; }

    /// <summary>Whether a line is asked for.</summary>
    public bool Takes(LogLine line) =>
        !(line.Time < Since) && !(line.Time > Until) && (Matches is null || Matches(line.Text));
}

public sealed record RuntimeEvent(InstanceName Name, string What);
