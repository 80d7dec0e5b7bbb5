using Mcp.Agent.Deploy;
using Mcp.Agent.Registry;
using Mcp.Daemon.Operations;
using Mcp.Model.Errors;
using Mcp.Model.Names;
using Mcp.Model.Revisions;
using Mcp.TestKit.Fakes;
using Mcp.TestKit.Faults;

namespace Mcp.UnitTests.Agent;

/// <summary>Each deploy that does something is a release: numbered, by whom, and what came of it.</summary>
public sealed class ReleasesTests : IDisposable
{
    private static readonly Label s_blog = Label.Parse("blog");
    private static readonly string[] s_versions = ["v1", "v2", "v3"];
    private readonly string _directory = Directory.CreateTempSubdirectory("mcp-releases").FullName;
    private readonly FakeRuntime _runtime = new(TimeProvider.System)
    {
        Images =
    {
        "example.com/hello:v1",
        "example.com/hello:v2",
        "example.com/hello:v3",
    }
    };

    public void Dispose()
    {
        _runtime.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    [Fact]
    public async Task What_was_put_to_work_is_kept_with_its_number_who_asked_and_what_came_of_it()
    {
        using var world = new World(_directory, _runtime);
        await world.Deployer.DeployAsync(World.Service("blog", "v1"), new DeployOptions { By = "ann" }, null, default);
        // Nothing changed: there is nothing to tell.
        await world.Deployer.DeployAsync(World.Service("blog", "v1"), new DeployOptions { By = "ann" }, null, default);
        _runtime.Images.Remove("example.com/hello:v2");
        await Assert.ThrowsAsync<StepFailedException>(() => world.Deployer.DeployAsync(
            World.Service("blog", "v2"),
            new DeployOptions { By = "bob" },
            null,
            default));
        await world.Undeployer.UndeployAsync(s_blog, default);
        // Numbers belong to the service and go up for ever; the fleet may have given more than this node knows.
        await world.Deployer.DeployAsync(World.Service("blog", "v3"), new DeployOptions { By = "ann", Release = 12 }, null, default);
        await world.Deployer.DeployAsync(World.Service("blog", "v1"), new DeployOptions { By = "ann", Release = 7 }, null, default);

        var releases = world.Registry.Releases.Of(s_blog);
        Assert.Equal(
            [(13, "ann", Outcome.Done), (12, "ann", Outcome.Done), (2, "bob", Outcome.Undone), (1, "ann", Outcome.Done)],
            releases.Select(r => ((int)r.Number, r.By, r.Outcome!.Value)));
        Assert.Contains("step pull: ", releases[2].Why, StringComparison.Ordinal);
        Assert.All(releases, r => Assert.True(r.Ended >= r.Began));
        Assert.Equal(Revision.Of(World.Service("blog", "v3")), world.Registry.Releases.Revision(releases[1].Revision));
    }

    [Fact]
    public Task Whatever_moment_an_agent_is_killed_at_its_release_ends_with_its_operation() =>
        FaultMatrix.RunAsync(Fault.Kill, atLeast: 3, async point =>
        {
            var directory = Directory.CreateDirectory(Path.Combine(_directory, $"{point.Number}")).FullName;
            using var runtime = new FakeRuntime(TimeProvider.System) { Images = { "example.com/hello:v1" } };
            using var killed = new World(directory, runtime);
            var options = new DeployOptions { By = "ann" };
            runtime.Hook = point.Hook;
            if (!await point.BreaksAsync(() => killed.Deployer.DeployAsync(World.Service("blog", "v1"), options, null, default)))
                return;
            runtime.Hook = _ => Task.CompletedTask;
            var open = killed.Registry.Operations.Open().Count;
            Assert.Equal(open, killed.Registry.Releases.Of(s_blog).Count(r => r.Outcome is null));
            using var next = new World(directory, runtime);
            await next.RecoverAsync();
            Assert.Equal(open == 0 ? [] : [Outcome.Done], next.Registry.Releases.Of(s_blog).Select(r => r.Outcome));
        });

    [Fact]
    public async Task What_failed_is_told_although_the_agent_was_killed_while_undoing()
    {
        var killed = new World(_directory, _runtime);
        var (failed, dead) = (false, new TaskCompletionSource());
        _runtime.Hook = what =>
        {
            if (failed)
            {
                dead.TrySetResult();
                return new TaskCompletionSource().Task;
            }

            failed = what == "run";
            return failed ? throw new McpException(ErrorCode.StepFailed, "no luck") : Task.CompletedTask;
        };
        _ = killed.Deployer.DeployAsync(World.Service("blog", "v1"), new DeployOptions { By = "ann" }, null, default);
        await dead.Task.WaitAsync(TimeSpan.FromMinutes(1), TestContext.Current.CancellationToken);
        _runtime.Hook = _ => Task.CompletedTask;
        using var next = new World(_directory, _runtime);
        await next.RecoverAsync();
        var release = Assert.Single(next.Registry.Releases.Of(s_blog));
        Assert.Equal(Outcome.Undone, release.Outcome);
        Assert.StartsWith("step start: no luck", release.Why, StringComparison.Ordinal);
    }

    [Fact]
    public void Old_releases_are_forgotten_and_bodies_that_nothing_names()
    {
        using var registry = AgentRegistry.Open(Path.Combine(_directory, "registry.db"), TimeProvider.System);
        for (var i = 0; i < 120; i++)
        {
            var revision = Revision.Of(World.Service("blog", s_versions[i % 2]));
            if (i >= 60)
                revision = Revision.Of(World.Service("blog", "v3"));
            var entry = registry.Releases.Begin(
                s_blog,
                revision,
                "ann",
                0,
                n => new JournalEntry(Guid.NewGuid(), "rollout", "blog", 0, false, $"{n}"));
            registry.Operations.Close(entry.Id, Outcome.Done);
        }

        Assert.Equal(Enumerable.Range(71, 50).Reverse(), registry.Releases.Of(s_blog).Select(r => (int)r.Number));
        Assert.NotNull(registry.Releases.Revision(Revision.Of(World.Service("blog", "v3")).Id));
        Assert.Null(registry.Releases.Revision(Revision.Of(World.Service("blog", "v1")).Id));
        Assert.Empty(registry.Releases.Of(Label.Parse("shop")));
    }

    [Fact]
    public async Task What_an_undeploy_takes_the_place_of_has_failed()
    {
        using var world = new World(_directory, _runtime);
        world.Registry.Releases.Begin(
            s_blog,
            Revision.Of(World.Service("blog", "v1")),
            "ann",
            0,
            _ => new JournalEntry(Guid.NewGuid(), "rollout", "blog", 0, false, "{}"));
        await world.Undeployer.UndeployAsync(s_blog, default);
        var release = Assert.Single(world.Registry.Releases.Of(s_blog));
        Assert.Equal((Outcome.Failed, "the service was undeployed"), (release.Outcome, release.Why));
        Assert.Equal(
            ErrorCode.ServiceUnknown,
            (await Assert.ThrowsAsync<McpException>(() => world.Undeployer.UndeployAsync(s_blog, default))).Code);
    }
}
