using System.Runtime.CompilerServices;
using Mcp.Model.Errors;
using Mcp.Model.Names;
using Mcp.Runtimes.Logs;

namespace Mcp.Runtimes.Podman;

/// <summary>Containers' logs: conmon's own files (k8s-file), read here. podman's API joins and counts parts of lines wrongly, and ends
/// before the last lines. At its size conmon begins a new file under the same name, and the old one would be gone; so each file gets a name
/// of its own as soon as it is seen. conmon: src/ctr_logging.c, write_k8s_log and reopen_k8s_file.</summary>
internal sealed class PodmanLogs(LibpodClient client, PodmanOptions options)
{
    private const string Driver = "k8s-file";
    private static readonly TimeSpan s_look = TimeSpan.FromMilliseconds(200);
    private readonly LogStore? _store = options.Logs.Length > 0 ? new LogStore(options.Logs) : null;

    /// <summary>Sees to it that a new container finds a place for its log, which goes on where one of this name had one before.</summary>
    public LibpodLog Begin(InstanceName name)
    {
        var files = _store?.Live(name);
        files?.Create();
        EndRun(files);
        return new LibpodLog(Driver, files?.Live, options.LogBytes);
    }

    /// <summary>The same for one that is started again. Of one that runs nothing is touched.</summary>
    public async Task BeginAgainAsync(InstanceName name, CancellationToken ct)
    {
        var container = await LookAsync(name, ct);
        if (container is not null && !await new ConmonWatch(options, LookAsync, name, container).IsWritingAsync(ct))
            EndRun(FilesOf(name, container));
    }

    public async IAsyncEnumerable<LogLine> ReadAsync(InstanceName name, LogOptions asked, [EnumeratorCancellation] CancellationToken ct)
    {
        var container = await FoundAsync(name, ct);
        if (FilesOf(name, container) is not { } files)
            yield break;
        var watch = new ConmonWatch(options, LookAsync, name, container);
        await foreach (var line in LogReader.ReadAsync(files, asked, watch.IsWritingAsync, ct))
            yield return line;
    }

    public IReadOnlyList<InstanceLog> All() => _store?.All() ?? [];

    public bool MarkGone(InstanceName name, bool isGone) => _store?.MarkGone(name, isGone) ?? false;

    public void Forget(InstanceName name) => _store?.Forget(name);

    /// <summary>Gives every new file its name, until cancelled.</summary>
    public async Task KeepAsync(CancellationToken ct)
    {
        using var clock = new PeriodicTimer(s_look);
        while (_store is not null && await clock.WaitForNextTickAsync(ct))
        {
            foreach (var name in _store.Names())
                Tried(_store.Live(name).Take);
        }
    }

    // A log that cannot be written to keeps nothing from being started.
    private void EndRun(LogFiles? files) => Tried(() => files?.EndRun(TimeProvider.System.GetUtcNow(), options.LogBytes));

    private static void Tried(Action change)
    {
        try
        {
            change();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The disk is full, or the log was just forgotten: the next look tries again.
        }
    }

    // A log that lies here is read also where podman does not answer.
    private async Task<LibpodContainer?> FoundAsync(InstanceName name, CancellationToken ct)
    {
        try
        {
            return await PodmanFaults.ToldAsync($"cannot look for the log of {name}", () => LookAsync(name, ct));
        }
        catch (McpException) when (_store?.Names().Contains(name) == true)
        {
            return null;
        }
    }

    // What an older version made has its log with podman. On the same file system, as names of files must be.
    private LogFiles? FilesOf(InstanceName name, LibpodContainer? container)
    {
        var own = _store?.Live(name);
        return container?.HostConfig?.LogConfig?.Path is { Length: > 0 } path && path != own?.Live
            ? new LogFiles(Path.Combine(Path.GetDirectoryName(path)!, "mcp-log"), path)
            : own;
    }

    private Task<LibpodContainer?> LookAsync(InstanceName name, CancellationToken ct) =>
        client.GetAsync($"/containers/{name}/json", LibpodJson.Default.LibpodContainer, ct);
}
