using System.Net;
using System.Text.Json;
using Mcp.Machine;
using Mcp.Model.Errors;
using Mcp.Model.Names;
using Mcp.Runtimes.Images;

namespace Mcp.Runtimes.Podman;

/// <summary>Images in podman's store, by their ids.</summary>
internal sealed class PodmanImages(LibpodClient client, TimeSpan pullLimit)
{
    private static readonly TimeSpan s_limit = TimeSpan.FromMinutes(1);

    // With the logins that podman itself has.
    private readonly RegistryImages _registries = new(null);

    /// <summary>See <see cref="IRuntime.PullAsync"/>; what is told is an image's id.</summary>
    public async Task<string> PullAsync(ImageReference image, ImageWish wish, IProgress<string>? progress, CancellationToken ct)
    {
        if (!wish.Ask && wish.Kept.Length > 0 && await FindAsync(wish.Kept, ct) is { Id: { } kept })
            return kept;
        var here = await FindAsync(image.Text, ct);
        if (here?.Id is { } copy && (!wish.Ask || image.IsFixed))
            return copy;
        using var limit = new Within(pullLimit, ct);
        try
        {
            await PullNowAsync(image, progress, limit.Token);
        }
        catch (LibpodException e)
        {
            if (here is null)
            {
                throw new McpException(
                    ErrorCode.ImagePull,
                    $"cannot pull {image}: {e.Message}",
                    "does the image exist, and is its registry reachable from this node?",
                    e);
            }

            progress.Note($"the registry did not answer ({e.Message}); the copy of {image} on this node serves");
        }
        catch (OperationCanceledException e) when (limit.IsOver)
        {
            var late = $"the registry did not deliver within {pullLimit.TotalSeconds:0} s";
            if (here is null)
                throw new McpException(ErrorCode.ImagePull, $"cannot pull {image}: {late}", "is its registry reachable from this node?", e);
            progress.Note($"{late}; the copy of {image} on this node serves");
        }

        return (await FindAsync(image.Text, ct))?.Id
            ?? throw new McpException(ErrorCode.ImagePull, $"cannot pull {image}: it is gone again", "deploy again");
    }

    /// <summary>See <see cref="IRuntime.DigestsAsync"/>.</summary>
    /// <param name="id">Of an image.</param>
    public async Task<IReadOnlyList<string>> DigestsAsync(string id, CancellationToken ct) =>
        await FindAsync(id, ct) is { } about ? Digests(about) : [];

    /// <summary>See <see cref="IRuntime.LookAsync"/>.</summary>
    public async Task<ImageLook?> LookAsync(ImageReference image, ImageWish wish, CancellationToken ct)
    {
        if (wish.Ask && !image.IsFixed)
            return await _registries.LookAsync(image, CopyAsync(image.Text, ct), ct);
        var copy = !wish.Ask && wish.Kept.Length > 0 ? await CopyAsync(wish.Kept, ct) : null;
        copy ??= await CopyAsync(image.Text, ct);
        return copy?.Look ?? await _registries.LookAsync(image, ct);
    }

    /// <summary>Null: there is none.</summary>
    /// <exception cref="McpException">podman.failed</exception>
    public async Task<string?> IdAsync(ImageReference image, CancellationToken ct) => (await FindAsync(image.Text, ct))?.Id;

    /// <summary>As an OCI archive, which the caller reads to its end and bounds.</summary>
    /// <exception cref="McpException">podman.failed</exception>
    public Task<Stream> ExportAsync(string id, CancellationToken ct) => PodmanFaults.ToldAsync(
        "cannot export the image",
        async () =>
        {
            // podman writes all of it to a file of its own before the first byte comes.
            var room = Environment.GetEnvironmentVariable("TMPDIR") is { Length: > 0 } own ? own : "/var/tmp";
            if (await FindAsync(id, ct) is { Size: > 0 and var bytes } && Directory.Exists(room))
                new DiskRoom(room).Need(bytes);
            // The response goes with its stream.
            var response = await client.StreamAsync(HttpMethod.Get, $"/images/{id}/get?format=oci-archive", ct);
            return await response.Content.ReadAsStreamAsync(ct);
        });

    /// <summary>What failed for an image that somebody has removed since it was pulled; null: it is there.</summary>
    public async Task<McpException?> GoneAsync(string image, Exception failure, CancellationToken ct) =>
        await FindAsync(image, ct) is null
            ? new McpException(
                ErrorCode.ImageGone,
                $"the image {Label.Clip(image)} was removed from this node after it was pulled: {failure.Message}",
                "deploy again: it is pulled once more",
                failure)
            : null;

    private static List<string> Digests(LibpodImage image) =>
    [
        .. (image.RepoDigests ?? []).Select(d => d[(d.IndexOf('@', StringComparison.Ordinal) + 1)..])
            .Append(image.Digest ?? "")
            .Where(d => d.Length > 0)
            .Distinct(),
    ];

    private async Task<ImageCopy?> CopyAsync(string image, CancellationToken ct) => await FindAsync(image, ct) is { } here
        ? new ImageCopy(new ImageLook(OciImageConfig.Paths(here.Config?.Volumes), here.Id!), Digests(here))
        : null;

    private Task<LibpodImage?> FindAsync(string image, CancellationToken ct) => PodmanFaults.ToldAsync(
        $"cannot look for {image}",
        () => client.GetAsync($"/images/{Uri.EscapeDataString(image)}/json", LibpodJson.Default.LibpodImage, s_limit, ct));

    private Task PullNowAsync(ImageReference image, IProgress<string>? progress, CancellationToken ct)
    {
        var registry = image.Text[..image.Text.IndexOf('/', StringComparison.Ordinal)];
        var loopback = registry.StartsWith("127.", StringComparison.Ordinal) || registry.StartsWith("localhost:", StringComparison.Ordinal);
        // Docker's API tells bytes and, before podman 4.4, insists on TLS.
        return loopback ? PullPlainAsync(image, progress, ct) : PullMeteredAsync(image, progress, ct);
    }

    private async Task PullPlainAsync(ImageReference image, IProgress<string>? progress, CancellationToken ct)
    {
        var isDone = false;
        using var response = await client.StreamAsync(
            HttpMethod.Post, $"/images/pull?reference={Uri.EscapeDataString(image.Text)}&tlsVerify=false", ct);
        await using var stream = await response.Content.ReadAsStreamAsync(ct);
        await foreach (var line in LibpodStreams.LinesAsync(stream, ct))
        {
            var message = JsonSerializer.Deserialize(line, LibpodJson.Default.LibpodPull);
            // A failed pull answers 200 with an error line in the stream.
            if (message?.Error is { Length: > 0 } error)
                throw new LibpodException(HttpStatusCode.OK, error);
            if (message?.Stream is { Length: > 0 } text)
                progress?.Report(text.Trim());
            isDone |= message?.Id is { Length: > 0 };
        }

        if (!isDone)
            throw BrokenOff();
    }

    // podman ended in the middle, and an older copy would be taken for the new one.
    private static LibpodException BrokenOff() => new(0, "podman broke off before it was done");

    private async Task PullMeteredAsync(ImageReference image, IProgress<string>? progress, CancellationToken ct)
    {
        var meter = new PullMeter(image, 0, progress, TimeProvider.System);
        Task<IReadOnlyDictionary<string, long>?>? sizes = null;
        var isDone = false;
        // What is here already is not downloaded.
        var skipped = new HashSet<string>();
        using var response = await client.StreamDockerAsync(
            HttpMethod.Post, $"/images/create?fromImage={Uri.EscapeDataString(image.Text)}", ct);
        await using var stream = await response.Content.ReadAsStreamAsync(ct);
        await foreach (var line in LibpodStreams.LinesAsync(stream, ct))
        {
            var message = JsonSerializer.Deserialize(line, LibpodJson.Default.DockerPull);
            if ((message?.ErrorDetail?.Message ?? message?.Error) is { Length: > 0 } error)
                throw new LibpodException(HttpStatusCode.OK, error);
            if (message is not { Status: { } status, Id: { Length: > 0 } part })
                continue;
            isDone = status is not ("Pulling fs layer" or "Downloading");
            if (status == "Already exists")
                skipped.Add(part);
            if (message.ProgressDetail is not { Current: > 0 and var bytes })
                continue;
            // It takes a while, so its size is worth a question.
            sizes ??= _registries.LayersAsync(image, ct);
            if (sizes is { IsCompletedSuccessfully: true } known && await known is { } all)
                meter.Total = all.Where(l => !skipped.Any(s => l.Key.Contains(s, StringComparison.Ordinal))).Sum(l => l.Value);
            meter.At(part, bytes);
        }

        if (!isDone)
            throw BrokenOff();
    }
}
