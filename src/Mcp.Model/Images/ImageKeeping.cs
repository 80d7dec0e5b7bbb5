using Mcp.Model.Names;

namespace Mcp.Model.Images;

/// <summary>What becomes of an image.</summary>
/// <param name="UsedBy">For people; empty: nobody.</param>
/// <param name="Ours">mcp may remove it, as soon as nobody uses it.</param>
/// <param name="Used">When mcp needed it last; null: it never did.</param>
/// <param name="References">Names under which mcp brought it.</param>
public sealed record ImageFate(
    HeldImage Image,
    IReadOnlyList<string> References,
    IReadOnlyList<string> UsedBy,
    bool Ours,
    DateTimeOffset? Used)
{
    /// <summary>It is mcp's own, and nobody uses it.</summary>
    public bool IsLoose => Ours && UsedBy.Count == 0;

    /// <summary>Null: it stays.</summary>
    public DateTimeOffset? Goes => IsLoose ? Used + ImageKeeping.Rest : null;
}

/// <summary>Which images of a node stay, and when the others go.</summary>
public static class ImageKeeping
{
    /// <summary>Of each service.</summary>
    public const int Releases = 3;

    /// <summary>How long one stays that nobody needs any more.</summary>
    public static readonly TimeSpan Rest = TimeSpan.FromDays(7);

    /// <param name="brought">Of what is not among them, only what lies in a store of mcp's own is mcp's.</param>
    /// <param name="now">Of those that mcp has not counted yet, the time of the last use.</param>
    public static IReadOnlyList<ImageFate> Judge(
        IReadOnlyList<HeldImage> images,
        IReadOnlyList<BroughtImage> brought,
        IReadOnlyList<ImageNeed> needs,
        DateTimeOffset now)
    {
        var known = brought.ToDictionary(b => (b.Kind, b.Id));
        return [.. images.Select(image =>
        {
            var ours = known.GetValueOrDefault((image.Kind, image.Id));
            var needed = needs.Where(n => n.Is(image)).Select(n => n.Who).ToList();
            // Under another name it is somebody's who wants it, too.
            var others = ours is null || image.InOwnStore ? [] : image.Names.Except(ours.References).ToList();
            return new ImageFate(
                image,
                ours?.References ?? [],
                [.. needed.Concat(image.Users.Where(u => !IsTold(u, needed))).Distinct()],
                (ours is not null || image.InOwnStore) && others.Count == 0,
                needed.Count > 0 ? now : ours?.Used ?? (image.InOwnStore ? now : null));
        })];
    }

    // As its component.
    private static bool IsTold(string user, List<string> needed) =>
        InstanceName.TryParse(user, out var instance) && needed.Contains($"{instance.Service}/{instance.Component}");

    /// <summary>Those whose time is over, and all that nobody uses where the disk is short; what was not needed for the longest time goes
    /// first.</summary>
    /// <param name="isShort">Of the disk that the kind of image lies on.</param>
    public static IReadOnlyList<ImageFate> Due(IReadOnlyList<ImageFate> fates, Func<ImageKind, bool> isShort, DateTimeOffset now) =>
        [.. Loose(fates).Where(f => f.Goes <= now || isShort(f.Image.Kind))];

    /// <summary>All that nobody uses, in the same order.</summary>
    public static IReadOnlyList<ImageFate> Loose(IReadOnlyList<ImageFate> fates) =>
        [.. fates.Where(f => f.IsLoose).OrderBy(f => f.Used).ThenBy(f => f.Image.Id, StringComparer.Ordinal)];
}
