using Mcp.Machine;
using Mcp.Model.Errors;
using Mcp.Model.Names;

namespace Mcp.Runtimes.Images;

/// <summary>What a registry has under a name now; nothing is pulled.</summary>
/// <param name="authFile">Logins of registries; null: where podman keeps them.</param>
public sealed class RegistryImages(string? authFile)
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(5);

    // A plan asks this after that, and somebody waits for both.
    private static readonly TimeSpan s_look = TimeSpan.FromSeconds(3);

    /// <summary>Digests of its manifest, and of the index that lists it, for this machine.</summary>
    /// <returns>Null: the registry does not say, or not in time.</returns>
    public Task<IReadOnlyList<string>?> DigestsAsync(ImageReference image, CancellationToken ct) =>
        AskAsync(image, (registry, token) => registry.DigestsAsync(ImageStore.Architecture, token), s_limit, ct);

    /// <summary>Of the image for this machine.</summary>
    /// <inheritdoc cref="DigestsAsync"/>
    public Task<ImageLook?> LookAsync(ImageReference image, CancellationToken ct) => AskAsync(image, LookAsync, s_look, ct);

    /// <summary>The same while a copy is looked for, which counts also where the registry does not say.</summary>
    /// <param name="copying">The copy on this node; null: there is none.</param>
    /// <exception cref="McpException">Of the search for the copy.</exception>
    public async Task<ImageLook?> LookAsync(ImageReference image, Task<ImageCopy?> copying, CancellationToken ct)
    {
        var there = await AskAsync(
            image,
            async (registry, token) =>
            {
                var digests = await registry.DigestsAsync(ImageStore.Architecture, token);
                return await copying is { } copy && digests.Intersect(copy.Digests).Any() ? copy.Look : await LookAsync(registry, token);
            },
            s_look,
            ct);
        var here = await copying;
        return there ?? (here is null ? null : here.Look with { Here = "" });
    }

    /// <summary>Bytes of its layers, packed, by digest.</summary>
    /// <inheritdoc cref="DigestsAsync"/>
    public Task<IReadOnlyDictionary<string, long>?> LayersAsync(ImageReference image, CancellationToken ct) =>
        AskAsync<IReadOnlyDictionary<string, long>>(
            image,
            async (registry, token) =>
            {
                var (_, manifest) = await registry.ManifestAsync(ImageStore.Architecture, token);
                return manifest.Layers.DistinctBy(l => l.Digest).ToDictionary(l => l.Digest.Hex, l => l.Size);
            },
            s_limit,
            ct);

    private static async Task<ImageLook> LookAsync(RegistryClient registry, CancellationToken ct)
    {
        var (_, manifest) = await registry.ManifestAsync(ImageStore.Architecture, ct);
        return new ImageLook(OciImageConfig.Paths((await registry.ConfigAsync(manifest, ct)).Config?.Volumes));
    }

    private async Task<T?> AskAsync<T>(
        ImageReference image,
        Func<RegistryClient, CancellationToken, Task<T>> question,
        TimeSpan time,
        CancellationToken ct)
        where T : class
    {
        using var limit = new Within(time, ct);
        try
        {
            // Nothing but documents is downloaded, so of any size.
            using var registry = new RegistryClient(image, new RegistryCredentials(authFile), long.MaxValue / OciReader.MaxLayers);
            return await question(registry, limit.Token);
        }
        catch (McpException)
        {
            return null;
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            return null;
        }
    }
}

/// <param name="Look">What is known of it.</param>
/// <param name="Digests">By which registries may know it.</param>
public sealed record ImageCopy(ImageLook Look, IReadOnlyList<string> Digests);
