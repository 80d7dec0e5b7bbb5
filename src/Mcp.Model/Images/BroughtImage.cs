namespace Mcp.Model.Images;

/// <summary>That mcp itself brought it here.</summary>
/// <param name="References">Under which.</param>
/// <param name="Used">When mcp needed it last.</param>
public sealed record BroughtImage(ImageKind Kind, string Id, IReadOnlyList<string> References, DateTimeOffset Used);

/// <summary>A pull that has begun and not ended.</summary>
/// <param name="Meant">What the reference meant before; empty: nothing.</param>
/// <param name="There">All images that were there before.</param>
/// <param name="Kept">The image that serves if it is there; empty: none.</param>
public sealed record BegunPull(ImageKind Kind, string Reference, string Meant, IReadOnlyList<string> There, string Kept)
{
    /// <summary>Among what was there: nobody could say, so nothing that comes counts as brought.</summary>
    public const string Anything = "*";

    /// <summary>The image came with this pull, and so did the name where it was another image's before.</summary>
    public bool Brought(string image) => !There.Contains(Anything) && !There.Contains(image);

    public bool Renamed(string image) => Meant != image;
}
