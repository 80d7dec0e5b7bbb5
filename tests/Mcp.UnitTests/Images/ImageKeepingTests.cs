using Mcp.Model.Images;

namespace Mcp.UnitTests.Images;

public sealed class ImageKeepingTests
{
    private static readonly DateTimeOffset s_now = new(2026, 11, 28, 12, 0, 0, TimeSpan.Zero);
    private static readonly DateTimeOffset s_longAgo = s_now.AddDays(-30);

    [Fact]
    public void What_something_needs_or_uses_stays_however_old_it_is()
    {
        var fates = Judge(
            [Podman("needed", "r:1"), Podman("used", "r:2") with { Users = ["container cron"] }, Podman("loose", "r:3")],
            [Brought("needed", "r:1"), Brought("used", "r:2"), Brought("loose", "r:3")],
            [new ImageNeed("r:1", "needed", "release 2 of blog")]);
        Assert.Equal(["loose"], Ids(ImageKeeping.Due(fates, _ => true, s_now)));
        Assert.Equal(["release 2 of blog"], fates[0].UsedBy);
        Assert.Null(fates[0].Goes);
        Assert.Equal(s_now, fates[0].Used);
    }

    [Fact]
    public void What_mcp_has_not_brought_stays_and_so_does_what_somebody_gave_a_name()
    {
        var fates = Judge(
            [Podman("theirs", "r:1"), Podman("named", "r:2", "localhost/mine:1"), Podman("untagged")],
            [Brought("named", "r:2"), Brought("untagged", "r:2")],
            []);
        Assert.Equal(["untagged"], Ids(ImageKeeping.Loose(fates)));
    }

    [Fact]
    public void In_a_store_of_its_own_all_is_mcps_and_what_it_has_not_counted_yet_has_its_week()
    {
        var fates = Judge([new HeldImage(ImageKind.Unpacked, "new") { Names = ["r:1"], InOwnStore = true }], [], []);
        Assert.Equal(s_now.AddDays(7), fates[0].Goes);
        Assert.Empty(ImageKeeping.Due(fates, _ => false, s_now));
        Assert.Equal(["new"], Ids(ImageKeeping.Loose(fates)));
    }

    [Fact]
    public void A_week_after_its_last_use_it_goes_and_not_before_unless_its_own_disk_is_short()
    {
        var used = s_now.AddDays(-6);
        var fates = Judge([Podman("one", "r:1")], [Brought("one", "r:1") with { Used = used }], []);
        Assert.Empty(ImageKeeping.Due(fates, kind => kind == ImageKind.Unpacked, s_now));
        Assert.Equal(["one"], Ids(ImageKeeping.Due(fates, kind => kind == ImageKind.Podman, s_now)));
        Assert.Empty(ImageKeeping.Due(fates, _ => false, used.AddDays(7).AddSeconds(-1)));
        Assert.Equal(["one"], Ids(ImageKeeping.Due(fates, _ => false, used.AddDays(7))));
    }

    [Fact]
    public void What_was_not_needed_for_the_longest_time_goes_first()
    {
        var fates = Judge(
            [Podman("a"), Podman("b"), Podman("c")],
            [Brought("a") with { Used = s_now.AddDays(-1) }, Brought("b"), Brought("c") with { Used = s_now.AddDays(-2) }],
            []);
        Assert.Equal(["b", "c", "a"], Ids(ImageKeeping.Loose(fates)));
    }

    [Fact]
    public void A_need_without_an_id_is_of_whatever_has_its_name()
    {
        var need = new ImageNeed("r:1", "", "blog/web");
        var fates = Judge([Podman("new", "r:1"), Podman("old")], [Brought("new", "r:1"), Brought("old", "r:1")], [need]);
        Assert.Equal(["old"], Ids(ImageKeeping.Loose(fates)));
    }

    [Fact]
    public void An_instance_is_told_as_its_component()
    {
        var held = Podman("one", "r:1") with { Users = ["blog.web.3", "blog.web.2", "container x"] };
        var fates = Judge([held], [Brought("one", "r:1")], [new ImageNeed("r:1", "one", "blog/web")]);
        Assert.Equal(["blog/web", "container x"], fates[0].UsedBy);
    }

    [Theory]
    [InlineData(100, 9, true)]
    [InlineData(100, 11, false)]
    [InlineData(10, 0.9, true)]
    [InlineData(10, 1.1, false)]
    [InlineData(30, 1.9, true)]
    [InlineData(30, 2.1, false)]
    [InlineData(1000, 49, true)]
    [InlineData(1000, 51, false)]
    public void A_disk_is_short_below_the_lesser_of_10_percent_and_2_GiB_and_always_below_5_percent(double gib, double free, bool isShort)
    {
        // Of 100 GiB, 5 % is more than 2 GiB.
        if (gib == 100)
            free /= 2;
        Assert.Equal(isShort, Space(gib, free).IsShort);
    }

    [Fact]
    public void A_file_system_that_is_nearly_full_is_so_until_some_more_is_free()
    {
        Assert.False(Space(100, 11).IsNearlyFull(was: false));
        Assert.True(Space(100, 10).IsNearlyFull(was: false));
        Assert.True(Space(100, 14).IsNearlyFull(was: true));
        Assert.False(Space(100, 16).IsNearlyFull(was: true));
        Assert.False(new DiskSpace(0, 0).IsNearlyFull(was: true));
    }

    private static DiskSpace Space(double gib, double free) => new((long)(gib * (1L << 30)), (long)(free * (1L << 30)));

    private static HeldImage Podman(string id, params string[] names) => new(ImageKind.Podman, id) { Names = names };

    private static BroughtImage Brought(string id, params string[] references) => new(ImageKind.Podman, id, references, s_longAgo);

    private static IReadOnlyList<ImageFate> Judge(
        IReadOnlyList<HeldImage> images,
        IReadOnlyList<BroughtImage> brought,
        IReadOnlyList<ImageNeed> needs) => ImageKeeping.Judge(images, brought, needs, s_now);

    private static string[] Ids(IEnumerable<ImageFate> fates) => [.. fates.Select(f => f.Image.Id)];
}
