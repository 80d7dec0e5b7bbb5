using System.Collections.Concurrent;
using System.IO.Compression;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Mcp.Model;
using Mcp.Model.Names;
using ZstdSharp;

namespace Mcp.Runtimes.Images;

/// <summary>OCI images unpacked, by the digest of their manifest: DIGEST/{config.json, rootfs/}. What lies under a digest is complete, since it is
/// renamed into place; refs/ says which digest a reference had last. Parts of a broken download are kept and gone on with.</summary>
internal sealed class ImageStore(string directory, RegistryCredentials credentials)
{
    private static readonly TimeSpan s_keep = TimeSpan.FromDays(7);
    // Gzip makes a layer about a third of its size.
    private const int Unpacked = 3;
    private const int NoSpaceLeft = 28;
    private readonly ConcurrentDictionary<string, SemaphoreSlim> _pulls = new();

    public static string Architecture { get; } = RuntimeInformation.OSArchitecture switch
    {
        System.Runtime.InteropServices.Architecture.X64 => "amd64",
        var other => other.ToString().ToLowerInvariant(),
    };

    /// <summary>Null: was never pulled, or is gone again.</summary>
    public StoredImage? Find(ImageReference image)
    {
        var reference = Reference(image);
        return File.Exists(reference) ? Open(File.ReadAllText(reference)) : null;
    }

    /// <summary>Safe to repeat and to interrupt. A floating reference is looked up again.</summary>
    public async Task<StoredImage> PullAsync(ImageReference image, IProgress<string>? progress, CancellationToken ct)
    {
        if (!image.Floats && Find(image) is { } here)
            return here;
        using var registry = new RegistryClient(image, credentials);
        var (name, manifest) = await registry.ManifestAsync(Architecture, ct);
        var digest = name["sha256:".Length..];
        var turn = _pulls.GetOrAdd(digest, _ => new SemaphoreSlim(1, 1));
        await turn.WaitAsync(ct);
        try
        {
            if (Open(digest) is null)
                await UnpackAsync(image, registry, digest, manifest, progress, ct);
        }
        catch (IOException e) when (e.HResult == NoSpaceLeft)
        {
            throw new McpException("disk.full", $"cannot unpack {image}: the disk of {directory} is full", "free some space (mcp node show says how much there is); nothing was lost", e);
        }
        finally
        {
            turn.Release();
        }

        Directory.CreateDirectory(Path.GetDirectoryName(Reference(image))!);
        Atomically.Write(Reference(image), digest);
        return Open(digest) ?? throw new McpException("image.pull", $"{image} was evicted while it was pulled", "deploy again");
    }

    /// <summary>Removes what no instance needs and nobody asked for in a week, and what a killed process left half done.</summary>
    public void Evict(IReadOnlySet<string> needed, DateTimeOffset now)
    {
        if (!Directory.Exists(directory))
            return;
        foreach (var image in Directory.EnumerateDirectories(directory).Where(d => Path.GetFileName(d) is not "refs"))
        {
            var age = now - Directory.GetLastWriteTimeUtc(image);
            if (age > s_keep && !needed.Contains(Path.GetFileName(image)))
                Directory.Delete(image, recursive: true);
        }
    }

    private async Task UnpackAsync(ImageReference image, RegistryClient registry, string digest, OciManifest manifest, IProgress<string>? progress, CancellationToken ct)
    {
        var config = await registry.ConfigAsync(manifest.Config!, ct);
        if (config.Architecture is { } architecture && architecture != Architecture)
            throw new McpException("image.architecture", $"{image} is for {architecture}, and this node is {Architecture}", "build the image for this architecture too");
        Directory.CreateDirectory(directory);
        var layers = manifest.Layers!;
        var (needs, free) = (layers.Sum(l => l.Size) * (1 + Unpacked), new DriveInfo(directory).AvailableFreeSpace);
        if (needs > free)
            throw new McpException("disk.full", $"{image} needs about {needs / 1024 / 1024} MiB in {directory}, and {free / 1024 / 1024} MiB are free", "free some space, or give the node a larger disk");
        var work = Path.Combine(directory, $".{digest}");
        var root = Path.Combine(work, "rootfs");
        if (Directory.Exists(root))
            Directory.Delete(root, recursive: true);
        Directory.CreateDirectory(root);
        for (var i = 0; i < layers.Count; i++)
        {
            progress?.Report($"layer {i + 1} of {layers.Count} of {image}, {layers[i].Size / 1024} KiB");
            var blob = Path.Combine(work, layers[i].Digest.Replace(':', '-'));
            await registry.BlobAsync(layers[i], blob, ct);
            await using (var packed = File.OpenRead(blob))
            await using (var tar = Decompressed(packed, layers[i].MediaType ?? ""))
                await new Layer(root).UnpackAsync(tar, ct);
            File.Delete(blob);
        }

        await File.WriteAllTextAsync(Path.Combine(work, "config.json"), JsonSerializer.Serialize(config, OciJson.Default.OciConfig), ct);
        Directory.Move(work, Path.Combine(directory, digest));
    }

    private static Stream Decompressed(Stream packed, string mediaType) =>
        mediaType.EndsWith("zstd", StringComparison.Ordinal) ? new DecompressionStream(packed)
        : mediaType.EndsWith("gzip", StringComparison.Ordinal) ? new GZipStream(packed, CompressionMode.Decompress)
        : packed;

    private StoredImage? Open(string digest)
    {
        var home = Path.Combine(directory, digest);
        var file = Path.Combine(home, "config.json");
        if (!File.Exists(file))
            return null;
        // Asked for just now: see Evict.
        Directory.SetLastWriteTimeUtc(home, TimeProvider.System.GetUtcNow().UtcDateTime);
        var config = JsonSerializer.Deserialize(File.ReadAllText(file), OciJson.Default.OciConfig)?.Config;
        return new StoredImage(digest, home, config?.Env ?? [], config?.Entrypoint ?? [], config?.Cmd ?? [], config?.WorkingDir is { Length: > 0 } at ? at : "/", config?.User ?? "");
    }

    private string Reference(ImageReference image) => Path.Combine(directory, "refs", Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(image.Text)))[..32]);
}
