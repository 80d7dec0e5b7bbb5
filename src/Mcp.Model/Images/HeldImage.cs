namespace Mcp.Model.Images;

/// <remarks>Podman: in podman's store. Unpacked: for VMs. Disk: of a unikernel, made of an unpacked one.</remarks>
public enum ImageKind { Podman, Unpacked, Disk }

/// <summary>An image that this node has.</summary>
/// <param name="Id">In its store's own words, as instances are made of it.</param>
public sealed record HeldImage(ImageKind Kind, string Id)
{
    /// <summary>Those that mcp gave it only to keep it are not among them.</summary>
    public IReadOnlyList<string> Names { get; init; } = [];

    /// <summary>With what it shares with others.</summary>
    public long Bytes { get; init; }

    /// <summary>Instances, and containers of others, that are made of it.</summary>
    public IReadOnlyList<string> Users { get; init; } = [];

    /// <summary>All in its store is mcp's.</summary>
    public bool InOwnStore { get; init; }

    /// <summary>Names that mcp gave it, so that it does not count as one that nobody wants.</summary>
    public IReadOnlyList<string> OwnNames { get; init; } = [];
}

/// <summary>Why an image stays.</summary>
/// <param name="Reference">As the component names it.</param>
/// <param name="Image">Its id; empty: whatever has the reference for a name.</param>
/// <param name="Who">For people.</param>
/// <param name="Name">That keeps it; empty: none.</param>
public sealed record ImageNeed(string Reference, string Image, string Who, string Name = "")
{
    public bool Is(HeldImage image) => Image.Length > 0 ? image.Id == Image : image.Names.Contains(Reference);
}

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
    /// <summary>The image came with this pull, and so did the name where it was another image's before.</summary>
    public bool Brought(string image) => !There.Contains(image);

    public bool Renamed(string image) => Meant != image;
}
