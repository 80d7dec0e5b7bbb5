using Mcp.Agent.Registry;
using Mcp.Model.Definition;
using Mcp.Model.Deploy;
using Mcp.Model.Names;
using Mcp.Runtimes.Images;

namespace Mcp.Agent.Deploy;

/// <summary>Whether registries have other images by now than what was made of them.</summary>
public sealed class NewImages(RuntimeSet runtimes, RegistryImages digests)
{
    /// <summary>All at once; a registry has some seconds to answer.</summary>
    /// <param name="stored">Whatever of it was deployed with the image that it is to have.</param>
    /// <param name="all">False: only those that take a newer one by themselves.</param>
    public async Task<IReadOnlyDictionary<Label, ImageNews>> OfAsync(
        IReadOnlyList<StoredComponent> stored,
        ServiceDefinition wanted,
        bool all,
        CancellationToken ct)
    {
        var asked = stored.Where(s => wanted.Components.FirstOrDefault(c => c.Name == s.Definition.Name) is { } component
            && component.Image == s.Definition.Image
            && !component.Image.IsFixed
            && (all ? component.Pull != PullPolicy.Missing : component.Pull == PullPolicy.Always));
        var news = await Task.WhenAll(asked.Select(async s => (s.Definition.Name, News: await OfAsync(s, ct))));
        return news.ToDictionary(n => n.Name, n => n.News);
    }

    private async Task<ImageNews> OfAsync(StoredComponent stored, CancellationToken ct)
    {
        var runtime = await runtimes.FindAsync(stored.Instance, ct);
        var here = runtime is null ? [] : await runtime.DigestsAsync(stored.Instance, ct);
        if (here.Count == 0)
            return ImageNews.Unknown;
        if (await digests.DigestsAsync(stored.Definition.Image, ct) is not { } there)
            return ImageNews.NoAnswer;
        return there.Intersect(here).Any() ? ImageNews.Same : ImageNews.Newer;
    }
}
