using Mcp.Model.Definition;
using Mcp.Model.Deploy;
using Mcp.Model.Errors;
using Mcp.Model.Names;

namespace Mcp.UnitTests.Deploy;

/// <summary>What a plan makes of an image that was pushed again under its name.</summary>
public sealed class PlannerImagesTests
{
    private const string Newer = "unchanged; the registry has a newer image, and --pull web takes it";

    [Theory]
    [InlineData(PullPolicy.Changed, ImageNews.Newer, ChangeKind.Keep, Newer)]
    [InlineData(PullPolicy.Changed, ImageNews.Same, ChangeKind.Keep, "unchanged")]
    [InlineData(
        PullPolicy.Changed, ImageNews.NoAnswer, ChangeKind.Keep,
        "unchanged; could not look for a newer image: its registry did not answer")]
    [InlineData(PullPolicy.Always, ImageNews.Newer, ChangeKind.Replace, "the registry has a newer image")]
    [InlineData(PullPolicy.Always, ImageNews.Same, ChangeKind.Keep, "unchanged")]
    [InlineData(PullPolicy.Missing, ImageNews.Unknown, ChangeKind.Keep, "unchanged")]
    public void What_a_registry_has_is_told_or_taken(PullPolicy pull, ImageNews news, ChangeKind kind, string why)
    {
        var web = Web() with { Pull = pull };
        var change = Assert.Single(Plan(new RolloutRequest(Service(web)), web, news).Changes);
        Assert.Equal((kind, why), (change.Kind, change.Why));
        Assert.Equal(kind == ChangeKind.Replace, change.Pulls);
    }

    [Theory]
    [InlineData(PullPolicy.Changed, "1", false)]
    [InlineData(PullPolicy.Changed, "2", true)]
    [InlineData(PullPolicy.Always, "1", true)]
    [InlineData(PullPolicy.Missing, "2", false)]
    public void The_registry_is_asked_as_pull_says(PullPolicy pull, string tag, bool asks)
    {
        var before = Web() with { Pull = pull };
        var after = Web(tag) with { Pull = pull };
        Assert.Equal(asks, Assert.Single(Plan(new RolloutRequest(Service(after), Force: true), before, ImageNews.Unknown).Changes).Pulls);
        Assert.Equal(pull != PullPolicy.Missing, Assert.Single(Plan(new RolloutRequest(Service(before)), null, default).Changes).Pulls);
    }

    [Fact]
    public void What_is_asked_for_with_pull_is_replaced_and_is_another_plan()
    {
        var pulled = new RolloutRequest(Service(Web())) { Pull = [Label.Parse("web")] };
        var plan = Plan(pulled, Web(), ImageNews.Unknown);
        var change = Assert.Single(plan.Changes);
        Assert.Equal((ChangeKind.Replace, "asked for with --pull", true), (change.Kind, change.Why, change.Pulls));
        Assert.NotEqual(plan.Id, Plan(new RolloutRequest(Service(Web()), Force: true), Web(), ImageNews.Unknown).Id);
    }

    [Fact]
    public void Nothing_else_can_be_pulled_than_what_is_deployed()
    {
        var asked = new RolloutRequest(Service(Web())) { Pull = [Label.Parse("bew")] };
        var e = Assert.Throws<McpException>(() => Plan(asked, Web(), ImageNews.Unknown));
        Assert.Equal((ErrorCode.ComponentUnknown, "these are: web"), (e.Code, e.Hint));
    }

    private static RolloutPlan Plan(RolloutRequest asked, ComponentDefinition? before, ImageNews news)
    {
        var none = new CurrentService(Label.Parse("alder"), null, [], new Dictionary<Label, int>());
        var there = before is null
            ? none
            : none with
            {
                Definition = Service(before),
                Components = [new CurrentComponent(before, 3, Wanted: true, Runs: true) { News = news }],
            };
        return new Planner(string.Equals, new VolumeRoot("/volumes")).Plan(asked, there);
    }

    private static ServiceDefinition Service(ComponentDefinition component) =>
        new() { Name = Label.Parse("shop"), Components = [component] };

    private static ComponentDefinition Web(string tag = "1") =>
        new() { Name = Label.Parse("web"), Image = ImageReference.Parse($"x.lan/y:{tag}") };
}
