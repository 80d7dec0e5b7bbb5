using System.Collections.Concurrent;
using System.Text;
using System.Text.Json;
using Mcp.Model.Definition;
using Mcp.Runtimes.Images;

namespace Mcp.Runtimes.Podman;

/// <summary>The HEALTHCHECK of images, by their id.</summary>
internal sealed class PodmanChecks(LibpodClient client, PodmanStore store)
{
    private const int Most = 1000;
    private const int MostBytes = 4 * 1024 * 1024;
    private readonly ConcurrentDictionary<string, HealthCheck?> _known = new();

    /// <param name="image">Its id; null: not known.</param>
    /// <returns>Null: it has none.</returns>
    public async Task<HealthCheck?> OfAsync(string? image, CancellationToken ct)
    {
        if (image is not { Length: > 0 })
            return null;
        if (_known.TryGetValue(image, out var known))
            return known;
        var about = await client.GetAsync($"/images/{Uri.EscapeDataString(image)}/json", LibpodJson.Default.LibpodImage, ct);
        if (about is null)
            return null;
        if (_known.Count >= Most)
            _known.Clear();
        var said = ImageCheck.Read(about.HealthCheck) ?? await OfConfigurationAsync(about.Id ?? image, ct);
        return _known[image] = ImageCheck.Of(said);
    }

    // podman tells of it only where the image is in Docker's format; most are in OCI's. What it has of the image's configuration is a file
    // of its store: https://github.com/containers/storage, images.go and utils.go.
    private async Task<ImageCheck?> OfConfigurationAsync(string id, CancellationToken ct)
    {
        if (!Digest.IsHex(id) || await store.WhereAsync(ct) is not { } where)
            return null;
        var name = Convert.ToBase64String(Encoding.UTF8.GetBytes($"sha256:{id}"));
        var file = Path.Combine(where.GraphRoot ?? "", $"{where.GraphDriverName}-images", id, $"={name}");
        try
        {
            await using var kept = File.OpenRead(file);
            if (kept.Length > MostBytes)
                return null;
            return ImageCheck.Read((await JsonSerializer.DeserializeAsync(kept, OciJson.Default.OciConfig, ct))?.Config?.Healthcheck);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException)
        {
            // Another machine's store, or another way to keep it.
            return null;
        }
    }
}
