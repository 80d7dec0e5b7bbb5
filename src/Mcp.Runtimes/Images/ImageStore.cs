using System.Collections.Concurrent;
using System.IO.Compression;
using System.Runtime.InteropServices;
using System.Text.Json;
using Mcp.Machine;
using Mcp.Model.Errors;
using Mcp.Model.Names;
using Microsoft.Win32.SafeHandles;
using ZstdSharp;
using ZstdSharp.Unsafe;

namespace Mcp.Runtimes.Images;

/// <summary>OCI images unpacked, by the digest of their manifest: DIGEST/{config.json, rootfs/}. What lies under a digest is complete,
/// since it is renamed into place; what is half done goes with whoever made it, or is swept by the next.</summary>
/// <param name="local">For references that begin with localhost/; null: there are none.</param>
internal sealed class ImageStore(
    string directory,
    RegistryCredentials credentials,
    ImageLimits? limits = null,
    LocalImages? local = null)
{
    private const string ConfigFile = "config.json";
    internal const string RootDirectory = "rootfs";
    // 32 MiB, what zstd's level 20 needs; a packed file may claim 2 GiB.
    private const int ZstdWindowLog = 25;
    private const int BufferBytes = 64 * 1024;
    // Only these: an image that is there and is not for this machine, or is damaged, is not served by an older copy.
    private static readonly ErrorCode[] s_notHad = [ErrorCode.ImagePull, ErrorCode.ImageTooLarge, ErrorCode.ImageLogin, ErrorCode.DiskFull];
    // Of all stores of this process: microvms and unikernels share a directory.
    private static readonly ConcurrentDictionary<string, SemaphoreSlim> s_pulls = new();
    private readonly ImageLimits _limits = limits ?? ImageLimits.Default;
    private readonly StoreDirectory _store = new(directory);

    public static string Architecture { get; } = RuntimeInformation.OSArchitecture switch
    {
        System.Runtime.InteropServices.Architecture.X64 => "amd64",
        var other => other.ToString().ToLowerInvariant(),
    };

    /// <summary>Null: was never pulled, or is gone again.</summary>
    public StoredImage? Find(ImageReference image) => _store.Meaning(image) is { } digest ? Open(digest) : null;

    /// <summary>See <see cref="IRuntime.LookAsync"/>, for HaveAsync.</summary>
    public async Task<ImageLook?> LookAsync(
        ImageReference image,
        ImageWish wish,
        RegistryImages registries,
        CancellationToken ct)
    {
        var here = !wish.Ask && Digest.IsHex(wish.Kept) ? Open(wish.Kept) : null;
        // What podman has is not here yet.
        if (here is null && image.IsLocal && local is not null)
            return await local.LookAsync(image, wish, ct) is { } there ? there with { Here = "" } : Known(Find(image));
        here ??= Find(image);
        if (Known(here) is not { } copy)
            return await registries.LookAsync(image, ct);
        return wish.Ask && !image.IsFixed
            ? await registries.LookAsync(image, Task.FromResult<ImageCopy?>(new(copy, [$"{new Digest(here!.Digest)}"])), ct)
            : copy;
    }

    /// <summary>Safe to repeat and to interrupt. A floating reference is looked up again.</summary>
    /// <exception cref="McpException">image.pull, image.architecture, image.too_large, image.login, disk.full; names the image.</exception>
    public Task<StoredImage> PullAsync(ImageReference image, IProgress<string>? progress, CancellationToken ct) =>
        PullAsync(image, image.Floats, progress, ct);

    private Task<StoredImage> PullAsync(ImageReference image, bool ask, IProgress<string>? progress, CancellationToken ct) =>
        ToldAsync(image, async () =>
        {
            if (!ask && Find(image) is { } here)
                return here;
            using var registry = new RegistryClient(image, credentials, _limits.MaxBytes);
            return await TakeAsync(image, registry, progress, ct);
        });

    private async Task<StoredImage> TakeAsync(ImageReference image, IImageSource source, IProgress<string>? progress, CancellationToken ct)
    {
        var (digest, manifest) = await source.ManifestAsync(Architecture, ct);
        await UnpackOnceAsync(image, source, digest, manifest, progress, ct);
        _store.Remember(image, digest);
        return Open(digest.Hex) ?? throw new McpException(ErrorCode.ImagePull, "it was removed while it was pulled", "deploy again");
    }

    // What podman has under the name now, by podman's id of it: one that was built again is another one.
    private Task<StoredImage> ExportAsync(ImageReference image, LocalImages from, IProgress<string>? progress, CancellationToken ct) =>
        ToldAsync(image, async () =>
        {
            string? id;
            try
            {
                id = await from.FindAsync(image, ct);
            }
            catch (McpException e) when (Find(image) is { } copy)
            {
                progress.Note($"{e.Message}; the copy of {image} on this node serves");
                return copy;
            }

            if (id is null || !Digest.IsHex(id))
            {
                return Find(image) ?? throw new McpException(
                    ErrorCode.ImagePull,
                    "podman on this node has no such image",
                    $"make it there (podman build -t {image} DIRECTORY), or name one of a registry");
            }

            if (Open(id) is { } here)
            {
                _store.Remember(image, new Digest(id));
                return here;
            }

            progress?.Report($"{image} is taken from podman");
            var (work, claim) = await _store.BeginAsync(ct);
            using (claim)
            {
                try
                {
                    var file = Path.Combine(work, "archive");
                    await using var archive = new FileStream(file, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None);
                    // Without a name it goes with this process, however that ends.
                    File.Delete(file);
                    await using (var exported = await from.ExportAsync(id, ct))
                        await FetchAsync(exported, archive, new DiskRoom(work), ct);
                    using var source = await OciArchive.OpenAsync(archive, new Digest(id), _limits.MaxBytes, ct);
                    return await TakeAsync(image, source, progress, ct);
                }
                finally
                {
                    Directory.Delete(work, recursive: true);
                }
            }
        });

    private async Task FetchAsync(Stream from, Stream to, DiskRoom room, CancellationToken ct)
    {
        var buffer = new byte[BufferBytes];
        for (long all = 0; await from.ReadAsync(buffer, ct) is > 0 and var read;)
        {
            all += read;
            if (all > _limits.MaxBytes)
                throw Allowance.TooLarge(_limits.MaxBytes);
            room.Take(read);
            await to.WriteAsync(buffer.AsMemory(0, read), ct);
        }
    }

    private async Task<StoredImage> ToldAsync(ImageReference image, Func<Task<StoredImage>> pull)
    {
        try
        {
            return await pull();
        }
        catch (McpException e) when (e.Code != ErrorCode.ImageArchitecture)
        {
            throw new McpException(e.Code, $"cannot pull {image}: {e.Message}", e.Hint, e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw DiskRoom.Of(e, directory) is { } full
                ? new McpException(full.Code, $"cannot pull {image}: {full.Message}", full.Hint, e)
                : new McpException(
                    ErrorCode.ImagePull,
                    $"cannot pull {image}: {e.Message}",
                    $"is {directory} writable, and only this program's?",
                    e);
        }
    }

    /// <summary>What the wish names, what is here, or what the registry has, in so much time.</summary>
    /// <exception cref="McpException">As of PullAsync.</exception>
    public async Task<StoredImage> HaveAsync(
        ImageReference image,
        ImageWish wish,
        TimeSpan limit,
        IProgress<string>? progress,
        CancellationToken ct)
    {
        if (!wish.Ask && Digest.IsHex(wish.Kept) && Open(wish.Kept) is { } kept)
            return kept;
        if (image.IsLocal && local is not null)
            return await WithinAsync(limit, image, token => ExportAsync(image, local, progress, token), ct);
        return (!wish.Ask || image.IsFixed) && Find(image) is { } here ? here : await RenewAsync(image, limit, progress, ct);
    }

    private static async Task<StoredImage> WithinAsync(
        TimeSpan limit,
        ImageReference image,
        Func<CancellationToken, Task<StoredImage>> pull,
        CancellationToken ct)
    {
        using var over = new Within(limit, ct);
        try
        {
            return await pull(over.Token);
        }
        catch (OperationCanceledException e) when (over.IsOver)
        {
            throw new McpException(
                ErrorCode.ImagePull,
                $"cannot pull {image}: podman did not deliver in time ({limit.TotalSeconds:0} s)",
                "is podman slow? pull_limit in [qemu] of agent.toml gives it more time",
                e);
        }
    }

    /// <summary>As PullAsync, but the registry is always asked, in so much time; what is here already serves where the registry does
    /// not.</summary>
    /// <exception cref="McpException">As of PullAsync.</exception>
    public async Task<StoredImage> RenewAsync(ImageReference image, TimeSpan limit, IProgress<string>? progress, CancellationToken ct)
    {
        using var over = new Within(limit, ct);
        McpException failure;
        try
        {
            return await PullAsync(image, ask: true, progress, over.Token);
        }
        catch (McpException e) when (s_notHad.Contains(e.Code))
        {
            failure = e;
        }
        catch (OperationCanceledException e) when (over.IsOver)
        {
            var what = $"cannot pull {image}: the registry did not deliver in time ({limit.TotalSeconds:0} s)";
            failure = new McpException(
                ErrorCode.ImagePull,
                what,
                "is the registry slow? pull_limit in [qemu] of agent.toml gives it more time",
                e);
        }

        if (Find(image) is not { } here)
            throw failure;
        progress.Note($"{failure.Message}; the copy on this node serves");
        return here;
    }

    /// <summary>For as long as the handle is open, no image is removed.</summary>
    public Task<SafeFileHandle> ClaimAsync(CancellationToken ct) => _store.ClaimAsync(ct);

    /// <summary>Removes what a killed process left half done, of images and of what is made of them. When the program starts.</summary>
    public void Sweep()
    {
        if (!Directory.Exists(directory))
            return;
        try
        {
            _store.Sweep();
            _store.SweepHalves();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Whoever pulls next is told.
        }
    }

    private async Task UnpackOnceAsync(
        ImageReference image,
        IImageSource source,
        Digest digest,
        ImageManifest manifest,
        IProgress<string>? progress,
        CancellationToken ct)
    {
        var turn = s_pulls.GetOrAdd(_store.Home(digest.Hex), _ => new SemaphoreSlim(1, 1));
        await turn.WaitAsync(ct);
        try
        {
            if (Open(digest.Hex) is not null)
                return;
            var config = await source.ConfigAsync(manifest, ct);
            if (config is { Os: not (null or "linux") } || (config.Architecture ?? Architecture) != Architecture)
            {
                var its = OciReader.Shown($"{config.Os ?? "linux"}/{config.Architecture}");
                throw new McpException(
                    ErrorCode.ImageArchitecture,
                    $"{image} is for {its}, and this node is linux/{Architecture}",
                    "build the image for this platform too");
            }

            var (work, claim) = await _store.BeginAsync(ct);
            using (claim)
            {
                try
                {
                    await UnpackAsync(image, source, work, manifest, progress, ct);
                    await File.WriteAllTextAsync(
                        Path.Combine(work, ConfigFile), JsonSerializer.Serialize(Told(config), OciJson.Default.OciConfig), ct);
                    _store.Complete(work, digest);
                }
                catch
                {
                    if (Directory.Exists(work))
                        Directory.Delete(work, recursive: true);
                    throw;
                }
            }
        }
        finally
        {
            turn.Release();
        }
    }

    private async Task UnpackAsync(
        ImageReference image,
        IImageSource source,
        string work,
        ImageManifest manifest,
        IProgress<string>? progress,
        CancellationToken ct)
    {
        var room = new DiskRoom(work);
        room.Need(manifest.Layers.Sum(l => l.Size));
        var allowance = new Allowance(_limits, room);
        var meter = new PullMeter(image, manifest.Layers.Sum(l => l.Size), progress, TimeProvider.System);
        var root = Path.Combine(work, RootDirectory);
        Directory.CreateDirectory(root);
        for (var i = 0; i < manifest.Layers.Count; i++)
        {
            var layer = manifest.Layers[i];
            progress?.Report($"layer {i + 1} of {manifest.Layers.Count} of {image}, {layer.Size / 1024} KiB");
            var at = i;
            var file = Path.Combine(work, "layer");
            await using var packed = new FileStream(file, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None);
            // Without a name it goes with this process, however that ends.
            File.Delete(file);
            await source.BlobAsync(layer, packed, room, bytes => meter.At($"{at}", bytes), ct);
            await using var tar = Decompressed(packed, layer.Packing);
            await new Layer(root, allowance).UnpackAsync(tar, ct);
        }
    }

    internal static Stream Decompressed(Stream packed, LayerPacking packing)
    {
        if (packing == LayerPacking.Gzip)
            return new GZipStream(packed, CompressionMode.Decompress);
        if (packing == LayerPacking.None)
            return packed;
        var zstd = new DecompressionStream(packed);
        zstd.SetParameter(ZSTD_dParameter.ZSTD_d_windowLogMax, ZstdWindowLog);
        return zstd;
    }

    private StoredImage? Open(string digest)
    {
        var home = _store.Home(digest);
        var file = new FileInfo(Path.Combine(home, ConfigFile));
        if (StoreDirectory.IsLink(home)
            || !file.Exists
            || file.LinkTarget is not null
            || !Directory.Exists(Path.Combine(home, RootDirectory)))
        {
            return null;
        }

        try
        {
            var config = JsonSerializer.Deserialize(File.ReadAllText(file.FullName), OciJson.Default.OciConfig)?.Config;
            return new StoredImage
            {
                Digest = digest,
                Directory = home,
                Env = config?.Env ?? [],
                Entrypoint = config?.Entrypoint ?? [],
                Cmd = config?.Cmd ?? [],
                WorkingDir = WorkingDir(config),
                User = config?.User ?? "",
                Volumes = config?.Volumes is { } volumes ? OciImageConfig.Paths(volumes) : null,
                Check = ImageCheck.Read(config?.Healthcheck),
                StopSignal = config?.StopSignal is { ValueKind: JsonValueKind.String } signal ? signal.GetString()! : "",
            };
        }
        catch (JsonException)
        {
            // Not written by this program, so as good as none.
            return null;
        }
    }

    // Also that it has none: older versions left out its VOLUMEs.
    private static OciConfig Told(OciConfig config)
    {
        var inner = config.Config ?? OciImageConfig.Empty;
        return inner.Volumes is { ValueKind: JsonValueKind.Object }
            ? config
            : config with { Config = inner with { Volumes = JsonDocument.Parse("{}").RootElement } };
    }

    // One of an older version does not say.
    private static ImageLook? Known(StoredImage? image) => image?.Volumes is { } volumes ? new ImageLook(volumes, image.Digest) : null;

    private static string WorkingDir(OciImageConfig? config) => Path.Combine("/", config?.WorkingDir is { Length: > 0 } at ? at : "/");
}
