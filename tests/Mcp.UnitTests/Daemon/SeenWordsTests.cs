using Mcp.Daemon.Identity;
using Mcp.Daemon.Operations;
using Mcp.Model.Errors;
using Mcp.Model.Events;
using Mcp.Protocol.V1;

namespace Mcp.UnitTests.Daemon;

/// <summary>Whoever may only look is told what happened, and not what a check asks and is answered.</summary>
public sealed class SeenWordsTests
{
    private static readonly Caller s_viewer = new("vic", Role.Viewer, DateTimeOffset.MaxValue);
    private static readonly Caller s_deployer = new("dee", Role.Deployer, DateTimeOffset.MaxValue);

    [Theory]
    [InlineData("exec: exit code 1\nexec env: exit code 1 secret", "exec: exit code 1")]
    [InlineData("exec env: exit code 1 secret", "its health check fails")]
    [InlineData("", "")]
    public void A_status_has_the_first_line_of_why(string told, string seen)
    {
        var status = new StatusReply { Components = { new ComponentStatus { Unhealthy = told, Starting = told } } };
        Assert.Same(status, SeenWords.By(s_deployer, status));
        var component = Assert.Single(SeenWords.By(s_viewer, status).Components);
        Assert.Equal((seen, seen), (component.Unhealthy, component.Starting));
        Assert.Equal(told, status.Components[0].Unhealthy);
    }

    [Theory]
    [InlineData("component.unhealthy", "a.web.1 is unwell: exec: exit code 1\nexec env: secret", "a.web.1 is unwell: exec: exit code 1")]
    [InlineData("component.unhealthy", "a.web.1 is not well: exec env: secret", "a.web.1 is not well")]
    [InlineData("component.healed", "a.web.1 was started again: exec env: secret", "a.web.1 was started again")]
    [InlineData("deploy.failed", "step health failed: not well\n  probed: secret", "step health failed: not well")]
    [InlineData("deploy.failed", "step ports failed: 80 is taken", "step ports failed: 80 is taken")]
    public void An_event_has_its_first_line(string kind, string detail, string seen)
    {
        var happened = new Event { Kind = kind, Detail = detail };
        Assert.Equal(detail, SeenWords.By(s_deployer, happened).Detail);
        Assert.Equal(seen, SeenWords.By(s_viewer, happened).Detail);
        Assert.Contains(EventKind.All, k => k.Text == kind);
    }

    [Fact]
    public async Task A_deploy_that_is_followed_ends_with_the_first_line_of_its_failure()
    {
        var reason = new McpException(ErrorCode.HealthFailed, "not well\n  answer: secret", "correct it");
        var failure = new StepFailedException("health", reason);
        Assert.Same(failure, await Assert.ThrowsAsync<StepFailedException>(
            () => SeenWords.FollowedAsync(s_deployer, () => Task.FromException(failure))));
        var e = await Assert.ThrowsAsync<McpException>(() => SeenWords.FollowedAsync(s_viewer, () => Task.FromException(failure)));
        Assert.Equal((ErrorCode.HealthFailed, "correct it"), (e.Code, e.Hint));
        Assert.EndsWith("not well", e.Message, StringComparison.Ordinal);
        var happened = new StepEvent { Detail = "a\nsecret", Results = { new StepResult { Detail = "b\nsecret" } } };
        var seen = SeenWords.By(s_viewer, happened);
        Assert.Equal(("a", "b", "a\nsecret"), (seen.Detail, seen.Results[0].Detail, happened.Detail));
    }
}
