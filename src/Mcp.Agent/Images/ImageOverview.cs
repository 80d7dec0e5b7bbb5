using Mcp.Model.Images;

namespace Mcp.Agent.Images;

/// <param name="Fates">What becomes of each image.</param>
/// <param name="Silent">Stores that do not answer, and why: of their images nothing is known.</param>
public sealed record ImageOverview(IReadOnlyList<ImageFate> Fates, IReadOnlyList<string> Silent);

/// <param name="Gone">What was removed, or would be.</param>
/// <param name="Failed">What could not be removed, and why.</param>
public sealed record PrunedImages(IReadOnlyList<ImageFate> Gone, IReadOnlyList<string> Failed)
{
    /// <summary>At most: layers that other images have, too, stay.</summary>
    public long Bytes => Gone.Sum(g => g.Image.Bytes);
}
