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
