using System.Collections.Concurrent;
using Mcp.Model.Definition;
using Mcp.Runtimes.Images;

namespace Mcp.Runtimes.Podman;

/// <summary>The HEALTHCHECK of images, by their id.</summary>
internal sealed class PodmanChecks(LibpodClient client)
{
    private const int Most = 1000;
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
        return _known[image] = ImageCheck.Of(ImageCheck.Read(about.HealthCheck));
    }
}
