namespace Mcp.Model.Images;

/// <summary>How full a file system is.</summary>
/// <param name="Bytes">What is used, and what is free.</param>
/// <param name="Free">What programs without special rights may still take.</param>
public readonly record struct DiskSpace(long Bytes, long Free)
{
    /// <summary>Of a disk, for the node itself: one part in so many. No image for a VM is unpacked into it.</summary>
    public const int Kept = 20;
    private const long Enough = 2L << 30;
    private const int Full = 90;
    private const int NotFull = 85;

    /// <summary>Less than 10 % and less than 2 GiB are free, or less than 5 %.</summary>
    public bool IsShort => Free < Math.Max(Math.Min(Bytes / 10, Enough), Bytes / Kept);

    public int UsedPercent => Bytes <= 0 ? 0 : (int)((Bytes - Free) * 100.0 / Bytes);

    /// <param name="was">It was so a while ago: it is until some more is free.</param>
    public bool IsNearlyFull(bool was) => Bytes > 0 && UsedPercent >= (was ? NotFull : Full);
}
