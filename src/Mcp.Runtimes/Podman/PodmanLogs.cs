using System.Globalization;
using System.Runtime.CompilerServices;
using Mcp.Model.Names;

namespace Mcp.Runtimes.Podman;

/// <summary>A container's log, from podman.</summary>
internal static class PodmanLogs
{
    public static async IAsyncEnumerable<LogLine> ReadAsync(
        LibpodClient client,
        InstanceName name,
        LogOptions options,
        [EnumeratorCancellation] CancellationToken ct)
    {
        // Whoever wants only the tail has seen nothing of what was before.
        var last = options.Tail is null ? options.Since ?? DateTimeOffset.MinValue : TimeProvider.System.GetUtcNow();
        await foreach (var line in OnceAsync(client, name, options, ct))
        {
            last = line.Time;
            yield return line;
        }

        // podman stops following when the container ends, sometimes before it has sent the last lines.
        if (options.Follow && await IsThereAsync(client, name, ct))
        {
            await foreach (var line in OnceAsync(client, name, new LogOptions(Since: last), ct))
            {
                if (line.Time > last)
                    yield return line;
            }
        }
    }

    private static async IAsyncEnumerable<LogLine> OnceAsync(
        LibpodClient client,
        InstanceName name,
        LogOptions options,
        [EnumeratorCancellation] CancellationToken ct)
    {
        var follow = options.Follow ? "true" : "false";
        var tail = options.Tail?.ToString(CultureInfo.InvariantCulture) ?? "all";
        var query = $"?stdout=true&stderr=true&timestamps=true&follow={follow}&tail={tail}";
        if (options.Since is { } since && since > DateTimeOffset.UnixEpoch)
            query += $"&since={since.ToUnixTimeSeconds()}";
        var path = $"/containers/{name}/logs{query}";
        using var response = await PodmanFaults.ToldAsync(
            $"cannot read the log of {name}", () => client.StreamAsync(HttpMethod.Get, path, ct));
        await using var stream = await response.Content.ReadAsStreamAsync(ct);
        await foreach (var (stderr, text) in LibpodStreams.FramesAsync(stream, ct))
        {
            var line = LibpodStreams.Stamped(stderr, text);
            if (options.Since is null || line.Time >= options.Since)
                yield return line;
        }
    }

    private static async Task<bool> IsThereAsync(LibpodClient client, InstanceName name, CancellationToken ct) =>
        await PodmanFaults.ToldAsync(
            $"cannot look at {name}",
            () => client.GetAsync($"/containers/{name}/json", LibpodJson.Default.LibpodContainer, ct)) is not null;
}
