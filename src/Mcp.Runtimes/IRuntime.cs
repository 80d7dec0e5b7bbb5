using System.Globalization;
using Mcp.Model.Definition;
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

    /// <summary>Where the image has VOLUMEs that <see cref="PullAsync"/> would take; nothing is pulled.</summary>
    /// <returns>Paths as the image has them, which may be anything. Null: it is not here, and its registry does not say.</returns>
    Task<IReadOnlyList<string>?> VolumesAsync(ImageReference image, ImageWish wish, CancellationToken ct);

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

    IAsyncEnumerable<LogLine> LogsAsync(InstanceName name, LogOptions options, CancellationToken ct);

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

public abstract record RuntimeAvailability
{
    public sealed record Usable(string Version) : RuntimeAvailability;

    public sealed record Unusable(string Reason, string Hint) : RuntimeAvailability;
}

public sealed record InstanceInfo
{
    public required InstanceName Name { get; init; }

    public required string Image { get; init; }

    public required InstanceState State { get; init; }

    /// <summary>Null while it runs or has never run.</summary>
    public int? ExitCode { get; init; }

    public required string SpecHash { get; init; }

    public DateTimeOffset? Started { get; init; }

    /// <summary>The component's canonical text, as it was when the instance was made.</summary>
    public required string Definition { get; init; }

    /// <summary>Published ones.</summary>
    public IReadOnlyList<FixedPort> Ports { get; init; } = [];

    /// <summary>The image it was made of, in the runtime's own words, as <see cref="IRuntime.PullAsync"/> tells it; empty: not known. Not
    /// in listings.</summary>
    public string MadeOf { get; init; } = "";

    /// <summary>What its image says that it should be asked; null: nothing, or this runtime cannot. Not in listings.</summary>
    public HealthCheck? OwnCheck { get; init; }

    /// <summary>Why it does not run, where the exit code does not say it.</summary>
    public string Reason { get; init; } = "";

    /// <summary>How it ended, in words.</summary>
    public string Ending
    {
        get
        {
            var code = ExitCode is { } known ? string.Create(CultureInfo.InvariantCulture, $"exit code {known}") : "no exit code";
            return Reason.Length > 0 ? $"{code}: {Reason}" : code;
        }
    }
}

/// <param name="Who">For people: the instance, or the name of what is not mcp's.</param>
/// <param name="Instance">Null: not mcp's.</param>
/// <param name="Ended">Nothing of it runs. Whatever is not certain counts as running.</param>
/// <param name="Writable">Host directories that it may write to.</param>
public sealed record VolumeHolder(string Who, InstanceName? Instance, bool Ended, IReadOnlyList<VolumeMount> Writable);

/// <param name="Directory">On this host.</param>
/// <param name="Of">Names the instance, and no other one ever.</param>
/// <param name="Ran">Another one as soon as the instance has run again.</param>
public sealed record FormerData(string Directory, string Of, string Ran);

public sealed record LogLine(DateTimeOffset Time, bool Stderr, string Text);

/// <param name="Tail">Last lines only; null: all.</param>
public sealed record LogOptions(bool Follow = false, int? Tail = null, DateTimeOffset? Since = null);

public sealed record RuntimeEvent(InstanceName Name, string What);
